#%Module1.0
# temclean for environment modules: save as MODULEPATH/temclean/@VERSION@. Lmod and Environment Modules read it.
# A folder that holds temclean alone, so that this Python does not come before the users' own:
#   mkdir -p @PREFIX@/only && ln -sf ../bin/temclean @PREFIX@/only/temclean
set root {@PREFIX@}
proc ModulesHelp {} { puts stderr "temclean @VERSION@: denoises TEM, STEM and SEM images; temclean --help" }
module-whatis "temclean @VERSION@: denoises TEM, STEM and SEM images"
conflict temclean
if {![file exists $root/only/temclean]} { puts stderr "temclean: $root/only/temclean is not there: see this module" }
prepend-path PATH $root/only
prepend-path MANPATH $root/share/man
append-path MANPATH {}
