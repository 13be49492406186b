/* The numeric loops that differ from CPU to CPU, as a table of functions.
 *
 * mdf_kernels_new() fills the table with the reference versions (kernel/ref: the specification,
 * obvious loops), then lets every better level that this CPU has overwrite the entries it knows.
 * A kernel sees pointers and sizes: no tensors, no errors, no threads (dense products and
 * convolutions excepted: those split their own work), and never allocates after its first call with
 * a shape. Pictures are channels-last: [N,H,W,C]. */
#ifndef MDF_KERNEL_KERNEL_H
#define MDF_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/status.h"
#include "kernel/real.h"

/* A square convolution, stride 1, zero padding of kernel/2 (so H and W stay). */
typedef struct mdf_conv_shape {
    int64_t n, h, w;   /* images, rows, columns */
    int64_t cin, cout; /* channels */
    int64_t kernel;    /* 1 or 3 */
} mdf_conv_shape;

/* One AdamW step's constants (Loshchilov and Hutter 2019), bias corrections already folded in:
 *     m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2
 *     w = w (1 - lr decay) - step_size * m / (sqrt(v) * inv_sqrt_c2 + eps)
 * with step_size = lr / (1 - b1^t), inv_sqrt_c2 = 1 / sqrt(1 - b2^t); g is scaled first. */
typedef struct mdf_adamw_step {
    mdf_real beta1, beta2, eps, step_size, inv_sqrt_c2, decay; /* decay = lr * weight_decay */
    mdf_real grad_scale;                                       /* clipping */
} mdf_adamw_step;

/* Row-major C = alpha * op(A) op(B) + beta * C; op(A) is [m,k], op(B) [k,n], C [m,n]. beta == 0
 * never reads C. Splits its work over the OpenMP team unless called from inside one. */
typedef void mdf_gemm_fn(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                         mdf_real alpha, const mdf_real *a, int64_t lda, const mdf_real *b,
                         int64_t ldb, mdf_real beta, mdf_real *c, int64_t ldc);

/* A frozen weight in its file's format: n rows of k numbers, row behind row, unaligned, often in a
 * mapped file. k is a multiple of dtype's block. */
typedef struct mdf_weight {
    const void *raw;
    mdf_dtype dtype; /* one of the floating-point types or blocks */
    int64_t n, k;
} mdf_weight;

/* y [m,n] = x [m,k] w^T, by at most that many threads (1 inside of a parallel region); the number
 * of threads does not change the result. scratch: gemm_weight_scratch(w, m, threads) bytes, aligned
 * to 64.
 *
 * The reference multiplies the weight's exact values. The fast versions do so, in float, for F32,
 * F16 and BF16. For blocks they round x to eight bits, in blocks of 32 with a scale of their own
 * (the block's largest magnitude / 127): y is then wrong by at most sum over blocks of (largest |x|
 * / 254 * sum |w|), in practice by about 0.4 % of y's root mean square (docs/SPEED.md). A block of
 * x with NaN or infinity gives NaN or infinity. */
typedef void mdf_gemm_weight_fn(const mdf_weight *w, int64_t m, const mdf_real *x, mdf_real *y,
                                void *scratch, int threads);
typedef size_t mdf_gemm_weight_scratch_fn(const mdf_weight *w, int64_t m, int threads);

enum {
    MDF_FEW_ROWS = 3,   /* rows of x (a generated token) up to which a weight is read straight */
    MDF_WEIGHTS_MAX = 3 /* that one call multiplies */
};

/* The same y[i] for each of count weights of as many columns, m at most MDF_FEW_ROWS: threads start
 * once and x is rounded once. scratch: the sum of what gemm_weight_scratch says for each. */
typedef void mdf_gemm_weights_fn(const mdf_weight w[], int count, int64_t m, const mdf_real *x,
                                 mdf_real *const y[], void *scratch, int threads);

/* y [N,H,W,Cout] = x [N,H,W,Cin] * w [Cout,Cin,K,K] (+ bias [Cout], may be NULL). cache is the
 * table's conv_cache. False: out of memory. */
typedef bool mdf_conv2d_fwd_fn(void *cache, const mdf_conv_shape *s, mdf_real *y, const mdf_real *x,
                               const mdf_real *w, const mdf_real *bias);
/* dx [N,H,W,Cin] = or += (acc) the gradient for x. */
typedef bool mdf_conv2d_bwd_data_fn(void *cache, const mdf_conv_shape *s, mdf_real *dx,
                                    const mdf_real *dy, const mdf_real *w, bool acc);
/* dw [Cout,Cin,K,K] += , db [Cout] += (db may be NULL). */
typedef bool mdf_conv2d_bwd_weights_fn(void *cache, const mdf_conv_shape *s, mdf_real *dw,
                                       mdf_real *db, const mdf_real *x, const mdf_real *dy);

/* A depthwise convolution of ONE image: channel c of y [OH,OW,C] is channel c of x [H,W,C] with its
 * own K x K weights. Pixel (oy, ox) of y sees the K x K pixels of x from (oy * stride - pad_y, ox *
 * stride - pad_x) on; what of them lies outside of x counts nothing. */
typedef struct mdf_depthwise_shape {
    int64_t h, w, c, oh, ow;
    int64_t kernel, stride; /* at most MDF_DEPTHWISE_MAX each */
    int64_t pad_y, pad_x;   /* rows above, columns to the left; less than the kernel */
} mdf_depthwise_shape;

enum { MDF_DEPTHWISE_MAX = 7 };

/* Rows from..to-1 of y = clip(conv(x, w [K*K,C]) + b [C]) to low..high; NaN stays NaN. */
typedef void mdf_depthwise_fwd_fn(mdf_real *y, const mdf_real *x, const mdf_real *w,
                                  const mdf_real *b, const mdf_depthwise_shape *s, int64_t from,
                                  int64_t to, mdf_real low, mdf_real high);
/* Rows from..to-1 of dx [H,W,C] = or += (acc) the gradient for x. */
typedef void mdf_depthwise_bwd_data_fn(mdf_real *dx, const mdf_real *dy, const mdf_real *w,
                                       const mdf_depthwise_shape *s, int64_t from, int64_t to,
                                       bool acc);
/* dw [K*K,C] +=, from rows from..to-1 of dy [OH,OW,C]. */
typedef void mdf_depthwise_bwd_weights_fn(mdf_real *dw, const mdf_real *dy, const mdf_real *x,
                                          const mdf_depthwise_shape *s, int64_t from, int64_t to);

/* y [N,C] = clip(y + bias [C]) to low..high; NaN stays NaN. */
typedef void mdf_bias_clip_fwd_fn(mdf_real *y, const mdf_real *bias, int64_t n, int64_t c,
                                  mdf_real low, mdf_real high);
/* dy [n] = 0 where y was clipped: y <= low or y >= high. */
typedef void mdf_clip_bwd_fn(mdf_real *dy, const mdf_real *y, int64_t n, mdf_real low,
                             mdf_real high);

/* Group normalisation (Wu and He 2018) of ONE image x [P,C] (P pixels, G groups of C/G channels),
 * optionally followed by ReLU:
 *     y = relu?((x - mean_g) * rstd_g * w_c + b_c);  w, b may both be NULL (no affine).
 * stats [G,2] receives mean and rstd. Sums are accumulated in double or by pairwise blocks. */
typedef void mdf_group_norm_fwd_fn(mdf_real *y, mdf_real *stats, const mdf_real *x,
                                   const mdf_real *w, const mdf_real *b, int64_t p, int64_t c,
                                   int64_t groups, mdf_real eps, bool relu);
/* dx [P,C] = or += (acc); dw [C] +=, db [C] += (NULL with w). y is only read when relu. scratch
 * holds 2*C reals. */
typedef void mdf_group_norm_bwd_fn(mdf_real *dx, mdf_real *dw, mdf_real *db, const mdf_real *dy,
                                   const mdf_real *x, const mdf_real *y, const mdf_real *w,
                                   const mdf_real *stats, int64_t p, int64_t c, int64_t groups,
                                   bool relu, bool acc, mdf_real *scratch);

/* What becomes of channel j: y = clip(x * scale[j] + shift[j]) to low..high; NaN stays NaN. Batch
 * normalisation (Ioffe and Szegedy 2015) is this, with scale and shift from the batch's sums. */
typedef struct mdf_scale_clip {
    const mdf_real *scale, *shift; /* [C] */
    mdf_real low, high;
} mdf_scale_clip;

/* along d + across x + constant, channel by channel: [C] each. */
typedef struct mdf_plane {
    const mdf_real *along, *across, *constant;
} mdf_plane;

/* sum [C] += x - at, square [C] += (x - at)^2, over the rows of x [N,C]; at [C], near the mean, so
 * that a large one costs no digits. */
typedef void mdf_channel_sums_fn(double *sum, double *square, const mdf_real *x, const mdf_real *at,
                                 int64_t n, int64_t c);
typedef void mdf_scale_clip_fwd_fn(mdf_real *y, const mdf_real *x, const mdf_scale_clip *s,
                                   int64_t n, int64_t c);
/* d is dy [N,C], or 0 where y was clipped, which x tells: sum [C] += d, cross [C] += d (x - at). */
typedef void mdf_scale_clip_sums_fn(double *sum, double *cross, const mdf_real *dy,
                                    const mdf_real *x, const mdf_scale_clip *s, const mdf_real *at,
                                    int64_t n, int64_t c);
/* dx [N,C] = or += (acc) p of the same d and x. */
typedef void mdf_scale_clip_bwd_fn(mdf_real *dx, const mdf_real *dy, const mdf_real *x,
                                   const mdf_scale_clip *s, const mdf_plane *p, int64_t n,
                                   int64_t c, bool acc);

/* Layer norm and RMS norm over rows x [N,C]. stats: layer [N,2] mean, rstd; rms [N] rstd.
 * y = (x - mean) rstd w + b;   y = x rstd w. */
typedef void mdf_layer_norm_fwd_fn(mdf_real *y, mdf_real *stats, const mdf_real *x,
                                   const mdf_real *w, const mdf_real *b, int64_t n, int64_t c,
                                   mdf_real eps);
typedef void mdf_layer_norm_bwd_fn(mdf_real *dx, mdf_real *dw, mdf_real *db, const mdf_real *dy,
                                   const mdf_real *x, const mdf_real *w, const mdf_real *stats,
                                   int64_t n, int64_t c, bool acc);
typedef void mdf_rms_norm_fwd_fn(mdf_real *y, mdf_real *stats, const mdf_real *x, const mdf_real *w,
                                 int64_t n, int64_t c, mdf_real eps);
typedef void mdf_rms_norm_bwd_fn(mdf_real *dx, mdf_real *dw, const mdf_real *dy, const mdf_real *x,
                                 const mdf_real *w, const mdf_real *stats, int64_t n, int64_t c,
                                 bool acc);

/* Elementwise over n numbers. gelu is the exact erf form; swiglu y = silu(a) * b. */
typedef void mdf_unary_fwd_fn(mdf_real *y, const mdf_real *x, int64_t n);
typedef void mdf_unary_bwd_fn(mdf_real *dx, const mdf_real *dy, const mdf_real *x, int64_t n,
                              bool acc);
typedef void mdf_swiglu_fwd_fn(mdf_real *y, const mdf_real *a, const mdf_real *b, int64_t n);
typedef void mdf_swiglu_bwd_fn(mdf_real *da, mdf_real *db, const mdf_real *dy, const mdf_real *a,
                               const mdf_real *b, int64_t n, bool acc_a, bool acc_b);

/* In place: x[n] = exp(x[n] - max) / sum; returns max + log(sum). -INFINITY entries give 0; a row
 * of only -INFINITY gives zeros and returns -INFINITY. */
typedef mdf_real mdf_softmax_fn(mdf_real *x, int64_t n);
/* In place: x[i] = exp(x[i] - lse): recovers a softmax row from its saved log-sum-exp. */
typedef void mdf_exp_shift_fn(mdf_real *x, mdf_real lse, int64_t n);

/* Which keys some queries see: from..to-1, none of them any other. All of them see all of these but
 * those of mask_from..mask_to-1, for which mdf_attention_sight.mask is asked. */
typedef struct mdf_key_span {
    int64_t from, to;
    int64_t mask_from, mask_to; /* a part of from..to-1 or empty */
} mdf_key_span;

typedef struct mdf_attention_sight {
    /* What queries query..query+queries-1 see. */
    mdf_key_span (*span)(const void *context, int64_t query, int64_t queries);
    /* score[j * stride], j < keys, are those of a query with keys key + j: -INFINITY replaces the
     * score of a key that it does not see. Only asked for what lies in the mask of a span. */
    void (*mask)(const void *context, int64_t query, int64_t key, int64_t keys, mdf_real *score,
                 int64_t stride);
    const void *context;
} mdf_attention_sight;

/* Attention of queries that share one key/value head: all keys of that head, and some of the rows
 * of its query heads. Row r is query r / heads of head r % heads, and
 *     score[j] = (q . k[j]) / sqrt(head_dim) + key_bias[j]   of the keys j that the query sees
 *     y = sum_j exp(score[j] - lse) v[j],   lse = log sum_j exp(score[j])
 * A row that sees no key, or all of whose scores are -INFINITY, gets y = 0 and lse = -INFINITY. */
typedef struct mdf_attention_task {
    const mdf_real *q; /* query i of head h: q + i * ldq + h * head_dim */
    const void *k;     /* key j: ldk * j numbers of kv_type behind the first */
    const void *v;     /* also ldk apart */
    mdf_dtype kv_type; /* MDF_DTYPE_REAL, F32, F16, BF16 or Q8_0: head_dim and ldk are then whole
                          blocks */
    const mdf_real *key_bias; /* [nk] or NULL */
    mdf_real *y;              /* as q */
    mdf_real *lse;            /* query i of head h: lse + h * lse_step + i */
    int64_t ldq, ldk, lse_step;
    int64_t heads, head_dim;
    int64_t first, rows; /* rows first..first+rows-1 */
    mdf_attention_sight sight;
} mdf_attention_task;

/* scratch: attention_scratch(kv_type, head_dim, nk) bytes, aligned to 64. Where the rows are cut
 * into tasks does not change a result by more than rounding; equal tasks give equal bits. */
typedef void mdf_attention_fn(const mdf_attention_task *t, void *scratch);
typedef size_t mdf_attention_scratch_fn(mdf_dtype kv_type, int64_t head_dim, int64_t nk);

/* out = n numbers x in another type, the same bits at every level:
 *     F32        as they are
 *     F16, BF16  to nearest, ties to even; too large becomes infinite, NaN stays NaN
 *     Q8_0       n whole blocks of 32: d = largest |x| / 127 in half precision, q = x / d rounded
 *
 * The error of Q8_0 is at most d / 2 + 2^-18. A block with NaN, infinity or a number beyond 8.3e6
 * (d too large) is NaN. */
typedef void mdf_narrow_fn(void *out, mdf_dtype type, const mdf_real *x, int64_t n);

/* y += alpha * x;  returns sum x*y in double. */
typedef void mdf_axpy_fn(mdf_real *y, mdf_real alpha, const mdf_real *x, int64_t n);
typedef double mdf_dot_fn(const mdf_real *x, const mdf_real *y, int64_t n);

/* y [N,C] += bias [C] (each row);  db [C] += column sums of dy [N,C]. */
typedef void mdf_bias_fwd_fn(mdf_real *y, const mdf_real *bias, int64_t n, int64_t c);
typedef void mdf_bias_bwd_fn(mdf_real *db, const mdf_real *dy, int64_t n, int64_t c);

/* 2x2 max pool of one image x [H,W,C] -> y [H/2,W/2,C]; H, W even. Backward finds the winner again
 * (first in row-major order, as PyTorch): dx = or +=. */
typedef void mdf_max_pool_fwd_fn(mdf_real *y, const mdf_real *x, int64_t h, int64_t w, int64_t c);
typedef void mdf_max_pool_bwd_fn(mdf_real *dx, const mdf_real *dy, const mdf_real *x, int64_t h,
                                 int64_t w, int64_t c, bool acc);

typedef void mdf_adamw_fn(mdf_real *w, mdf_real *m, mdf_real *v, const mdf_real *g, int64_t n,
                          const mdf_adamw_step *s);

/* One AdamW step of which the moments are 8-bit codes (kernel/moment_code.h), in blocks of
 * MDF_MOMENT_BLOCK numbers, for n numbers from the beginning of a block on; m, v [n] codes, m_max,
 * v_max [blocks] the largest magnitudes of each. The weight takes the new moments before they are
 * rounded. Each is then rounded to the nearest code; a negative m never to zero. A block whose
 * largest magnitude is no normal float is all zero. Where a new moment is not finite, both become
 * zero and the weight stays. */
typedef struct mdf_moments_8bit {
    uint8_t *m, *v;
    float *m_max, *v_max;
} mdf_moments_8bit;
typedef void mdf_adamw_8bit_fn(mdf_real *w, const mdf_moments_8bit *s, const mdf_real *g, int64_t n,
                               const mdf_adamw_step *step);

/* row [N] += sum over columns, col [C] += sum over rows, of x [N,C] squared. */
typedef void mdf_square_sums_fn(double *row, double *col, const mdf_real *x, int64_t n, int64_t c);

/* Second moments V [N,C] as a product: V[i,j] = row[i] col[j], at least floor, which is above 0. */
typedef struct mdf_factored {
    const mdf_real *row, *col;
    mdf_real floor;
} mdf_factored;
/* The sum of g^2 / V over g [N,C]. */
typedef double mdf_factored_squares_fn(const mdf_real *g, const mdf_factored *v, int64_t n,
                                       int64_t c);
/* w = w keep - step g / sqrt(V), all [N,C]. */
typedef void mdf_factored_step_fn(mdf_real *w, const mdf_real *g, const mdf_factored *v,
                                  mdf_real keep, mdf_real step, int64_t n, int64_t c);

/* bfloat16, the upper half of a float, and what makes it exact again. */

/* x = h. */
typedef void mdf_bf16_widen_fn(mdf_real *x, const uint16_t *h, int64_t n);
/* h = one of the two numbers around x, the farther from zero with the probability that makes the
 * mean x: 16 random bits are added to the float and its lower half is cut off. Bits of number i are
 * a hash of key and first + i, of which the lower 32 bits count: any cut of an array gives the same
 * as the whole. NaN stays NaN; beyond the largest bfloat16 lies infinity. */
typedef void mdf_bf16_stochastic_fn(uint16_t *h, const mdf_real *x, int64_t n, uint64_t key,
                                    uint64_t first);
/* h = the nearest to x, of two the farther from zero, and rest = what h lacks of x, in units of
 * x's last place: h 2^16 + rest is x's bits. NaN becomes one without a rest. */
typedef void mdf_bf16_split_fn(uint16_t *h, int16_t *rest, const mdf_real *x, int64_t n);
/* x from both, bit by bit. */
typedef void mdf_bf16_join_fn(mdf_real *x, const uint16_t *h, const int16_t *rest, int64_t n);

typedef struct mdf_kernels {
    const char *isa; /* "ref", "avx2", "avx512", "avx512vnni": the last level that was filled in */
    void *conv_cache;
    void (*conv_cache_free)(void *cache); /* NULL: there is nothing to free */
    const struct mdf_winograd *winograd;  /* NULL: this level has none; see kernel/winograd.h */
    mdf_gemm_fn *gemm;
    mdf_gemm_weight_fn *gemm_weight;
    mdf_gemm_weight_scratch_fn *gemm_weight_scratch;
    mdf_gemm_weights_fn *gemm_weights;
    mdf_conv2d_fwd_fn *conv2d_fwd;
    mdf_conv2d_bwd_data_fn *conv2d_bwd_data;
    mdf_conv2d_bwd_weights_fn *conv2d_bwd_weights;
    mdf_depthwise_fwd_fn *depthwise_fwd;
    mdf_depthwise_bwd_data_fn *depthwise_bwd_data;
    mdf_depthwise_bwd_weights_fn *depthwise_bwd_weights;
    mdf_bias_clip_fwd_fn *bias_clip_fwd;
    mdf_clip_bwd_fn *clip_bwd;
    mdf_group_norm_fwd_fn *group_norm_fwd;
    mdf_group_norm_bwd_fn *group_norm_bwd;
    mdf_channel_sums_fn *channel_sums;
    mdf_scale_clip_fwd_fn *scale_clip_fwd;
    mdf_scale_clip_sums_fn *scale_clip_sums;
    mdf_scale_clip_bwd_fn *scale_clip_bwd;
    mdf_layer_norm_fwd_fn *layer_norm_fwd;
    mdf_layer_norm_bwd_fn *layer_norm_bwd;
    mdf_rms_norm_fwd_fn *rms_norm_fwd;
    mdf_rms_norm_bwd_fn *rms_norm_bwd;
    mdf_unary_fwd_fn *gelu_fwd;
    mdf_unary_bwd_fn *gelu_bwd;
    mdf_swiglu_fwd_fn *swiglu_fwd;
    mdf_swiglu_bwd_fn *swiglu_bwd;
    mdf_softmax_fn *softmax;
    mdf_exp_shift_fn *exp_shift;
    mdf_attention_fn *attention;
    mdf_attention_scratch_fn *attention_scratch;
    mdf_narrow_fn *narrow;
    mdf_axpy_fn *axpy;
    mdf_dot_fn *dot;
    mdf_bias_fwd_fn *bias_fwd;
    mdf_bias_bwd_fn *bias_bwd;
    mdf_max_pool_fwd_fn *max_pool_fwd;
    mdf_max_pool_bwd_fn *max_pool_bwd;
    mdf_adamw_fn *adamw;
    mdf_adamw_8bit_fn *adamw_8bit;
    mdf_square_sums_fn *square_sums;
    mdf_factored_squares_fn *factored_squares;
    mdf_factored_step_fn *factored_step;
    mdf_bf16_widen_fn *bf16_widen;
    mdf_bf16_stochastic_fn *bf16_stochastic;
    mdf_bf16_split_fn *bf16_split;
    mdf_bf16_join_fn *bf16_join;
} mdf_kernels;

/* Chooses the best level up to max_isa ("ref", "avx2", "avx512", "avx512vnni"; NULL = the best this
 * CPU has).
 * Every choice but "ref" also takes oneDNN for products and convolutions. MDF_ERR_ARG: unknown
 * name. The caller frees with mdf_kernels_free(). The conv cache makes one table usable by one
 * thread at a time. */
mdf_status mdf_kernels_new(mdf_kernels **out, const char *max_isa, mdf_error *err) MDF_NODISCARD;
void mdf_kernels_free(mdf_kernels *k);

/* Each fill overwrites the entries it has a version of and leaves the others alone. */
void mdf_kernels_fill_ref(mdf_kernels *k);
#ifndef MDF_REAL_DOUBLE
void mdf_kernels_fill_avx2(mdf_kernels *k);
void mdf_kernels_fill_avx512(mdf_kernels *k);
/* Products with frozen weights. */
void mdf_kernels_fill_weight_avx2(mdf_kernels *k);
void mdf_kernels_fill_weight_avx512(mdf_kernels *k);
void mdf_kernels_fill_weight_vnni(mdf_kernels *k);
/* Dense products and convolutions by oneDNN, which has its own CPU dispatch. NULL cache: no memory.
 */
bool mdf_kernels_fill_dnnl(mdf_kernels *k);
/* Lets the Winograd convolution take over where it is faster than what the table has
 * (simd/winograd.c). False: out of memory. */
bool mdf_kernels_fill_winograd(mdf_kernels *k);
#endif

#endif
