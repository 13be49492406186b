/* 3x3 convolutions, stride 1, by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016): 36
 * multiplications for 16 results instead of 144.
 *
 * The picture is cut into tiles of 4x4 results, each made from 6x6 pixels d. With interpolation
 * points 0, +-a, +-b and infinity y = A' [ (G w G') . (B' d B) ] A, where . multiplies elementwise
 * and sums over channels: 36 dense products [tiles, Cin] x [Cin, Cout]. The gradient for d is the
 * same with the window turned by 180 degrees and channels swapped; the gradient for w is the
 * transposed algorithm, G' [ sum over tiles (B' d B) . (A dy A') ] G. */
#ifndef MDF_KERNEL_WINOGRAD_H
#define MDF_KERNEL_WINOGRAD_H

#include "kernel/kernel.h"

typedef enum mdf_conv_kind {
    MDF_CONV_FORWARD,
    MDF_CONV_BACKWARD_DATA,
    MDF_CONV_BACKWARD_WEIGHTS
} mdf_conv_kind;

/* One instruction set's version. Shapes: kernel 3, Cin and Cout multiples of 16. */
typedef struct mdf_winograd {
    /* Numbers of scratch that a call needs with at most that many threads. */
    size_t (*scratch)(const mdf_conv_shape *s, mdf_conv_kind kind, int threads);
    /* out [N,H,W,Cout] = in [N,H,W,Cin] * w (+ bias); backward data: out [..,Cin] = or += (acc). */
    void (*data)(const mdf_conv_shape *s, mdf_conv_kind kind, float *out, const float *in,
                 const float *w, const float *bias, bool acc, float *scratch, int threads);
    void (*weights)(const mdf_conv_shape *s, float *dw, const float *x, const float *dy,
                    float *scratch, int threads);
} mdf_winograd;

#endif
