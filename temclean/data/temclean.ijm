// Denoise the front image with temclean. Save this as temclean.ijm, then Plugins > Macros > Run... or Install...
// A macro that calls it may name the model: runMacro("temclean.ijm", "general").
program = @PROGRAM@;
models = newArray(@MODELS@);

if (nImages == 0) exit("temclean: open an image first");
model = getArgument();
if (model == "") {
    Dialog.create("temclean");
    Dialog.addChoice("Model", models);
    Dialog.show();
    model = Dialog.getChoice();
}
title = getTitle();
folder = getDirectory("temp");
if (!endsWith(folder, File.separator)) folder = folder + File.separator;
stem = folder + "temclean_" + round(random * 1e9) + "_" + getTime();
before = stem + ".tif";
after = stem + "_clean.tif";

// A copy is saved, as saving gives an image another name.
wasBatch = is("Batch Mode");
setBatchMode(true);
run("Select None");
run("Duplicate...", "title=temclean_copy duplicate");
saveAs("Tiff", before);
close();
setBatchMode(wasBatch);

// exec() returns what is printed on stdout only, so errors go there too.
code = "import sys; sys.stderr = sys.stdout; from temclean.cli import main; main()";
showStatus("temclean: denoising...");
said = exec(program, "-c", code, "denoise", before, "-m", model, "-o", after, "-q");
deleted = File.delete(before);
if (!File.exists(after)) exit("temclean made no result.\n" + said);
open(after);
deleted = File.delete(after);
rename(title + " (temclean " + model + ")");
