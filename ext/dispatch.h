/* TEMCLEAN_CLONES: compile a function several times and let the loader pick the
 * fastest that the processor can run, so that one binary is both portable and
 * quick. Elsewhere than on GNU/Linux x86-64 with gcc it expands to nothing. */
#ifndef TEMCLEAN_DISPATCH_H
#define TEMCLEAN_DISPATCH_H

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define TEMCLEAN_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define TEMCLEAN_CLONES
#endif

#endif
