// Denoise the front image with temclean, in DigitalMicrograph on the machine where temclean is installed.
// Untried: it is written by the names of documented functions, and nobody has run it in DigitalMicrograph yet.

string program = @PROGRAM@
string model = "auto"
if ( !GetString( "Model: @NAMES@", model, model ) ) exit( 0 )

image front := GetFrontImage()
string folder = GetApplicationDirectory( 2, 0 )
string before = PathConcatenate( folder, "temclean_front.dm4" )
string after = PathConcatenate( folder, "temclean_front_clean.tif" )
if ( DoesFileExist( before ) ) DeleteFile( before )
if ( DoesFileExist( after ) ) DeleteFile( after )

// A copy is saved, so that the front image keeps its name and its file.
image copy := ImageClone( front )
SaveAsGatan( copy, before )

string command = "\"" + program + "\" -m temclean denoise \"" + before + "\" -m \"" + model + "\" -o \"" + after + "\" -q"
LaunchExternalProcess( command )
DeleteFile( before )
if ( !DoesFileExist( after ) ) Throw( "temclean made no result; in a command prompt, say: " + command )

image clean := OpenImage( after )
ImageCopyCalibrationFrom( clean, front )
TagGroupCopyTagsFrom( ImageGetTagGroup( clean ), ImageGetTagGroup( front ) )
ImageSetName( clean, ImageGetName( front ) + " (temclean " + model + ")" )
ShowImage( clean )
DeleteFile( after )
