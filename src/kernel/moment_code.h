/* The 8-bit numbers that moments of AdamW are kept in: the dynamic codes of Dettmers et al. (2022,
 * arXiv 2110.02861), as bitsandbytes has them. A code stands for a number of -1..1 or 0..1, which
 * the block's largest magnitude multiplies.
 *
 * [0.1 p, p] for p = 1e-6, 1e-5 .. 1 is a decade, cut into equal parts, of which the middles are
 * what codes stand for; decade i has 2^i parts (signed) or 2^(i+1) (unsigned). With 0 and 1 that
 * is, in ascending order,
 *     signed    0..126 negative, 127 is 0, 128..254 positive, 255 is 1 (there is no -1)
 *     unsigned  0 is 0, 1..254, 255 is 1
 * Counted from the smallest positive one, from 1 (signed) or 2 (unsigned), a number n = 2^e + k, k
 * below 2^e, is part k of the decade whose parts are 2^e; 2^7 or 2^8 is 1.
 *
 * Every version computes a code's number as fma(k, slope, first), in float, so that all agree in
 * every bit. Rounding is at most 1.2e-7 of the number. */
#ifndef MDF_KERNEL_MOMENT_CODE_H
#define MDF_KERNEL_MOMENT_CODE_H

enum {
    MDF_MOMENT_BLOCK = 256, /* numbers that share a largest magnitude */
    MDF_MOMENT_ZERO = 127   /* the signed code of 0 */
};

/* Decade i of 0..6: its upper end, and its parts in a signed or (twice as many) unsigned code. */
#define MDF_MOMENT_DECADES(X)                                                                      \
    X(1e-6, 1.0), X(1e-5, 2.0), X(1e-4, 4.0), X(1e-3, 8.0), X(1e-2, 16.0), X(1e-1, 32.0),          \
        X(1.0, 64.0)

/* Width of a part and the middle of the first one; p the decade's end, n its parts. */
#define MDF_MOMENT_SLOPE(p, n) ((float)((p)*0.9 / (n)))
#define MDF_MOMENT_FIRST(p, n) ((float)((p) * (0.1 + 0.45 / (n))))
#define MDF_MOMENT_LAST(p, n)  ((p) * (1 - 0.45 / (n)))

#endif
