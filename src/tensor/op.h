/* What the op_*.c files share: how work is cut into pieces for the compute threads.
 *
 * The borders of the pieces depend on the shape only, and partial sums are added in order, so that
 * any number of threads gives the same bits (dense products and convolutions are oneDNN's). */
#ifndef MDF_TENSOR_OP_H
#define MDF_TENSOR_OP_H

#include <assert.h>
#include <math.h>

#include "tensor/tensor.h"

#if defined(_OPENMP)
#include <omp.h>
static inline int mdf_thread_count(void)
{
    return omp_get_max_threads();
}
static inline int mdf_thread_index(void)
{
    return omp_get_thread_num();
}
#else
static inline int mdf_thread_count(void)
{
    return 1;
}
static inline int mdf_thread_index(void)
{
    return 0;
}
#endif

enum {
    MDF_CHUNK = 16384,  /* numbers of an elementwise piece: 64 KiB, half an L2 way */
    MDF_ROW_BLOCKS = 16 /* pieces of a reduction over rows; more threads than this idle */
};

static inline int64_t mdf_chunks(int64_t n)
{
    return (n + MDF_CHUNK - 1) / MDF_CHUNK;
}

static inline int64_t mdf_chunk_size(int64_t n, int64_t i)
{
    const int64_t left = n - i * MDF_CHUNK;
    return left < MDF_CHUNK ? left : MDF_CHUNK;
}

/* Rows of block i when n rows are cut into `blocks` nearly equal blocks. */
static inline int64_t mdf_block_begin(int64_t n, int64_t blocks, int64_t i)
{
    return n * i / blocks;
}

static inline int64_t mdf_last_dim(const mdf_tensor *t)
{
    return t->dim[t->rank - 1];
}

static inline int64_t mdf_row_count(const mdf_tensor *t)
{
    return mdf_last_dim(t) == 0 ? 0 : mdf_tensor_count(t) / mdf_last_dim(t);
}

static inline bool mdf_same_shape(const mdf_tensor *a, const mdf_tensor *b)
{
    if (a->rank != b->rank) {
        return false;
    }
    for (int i = 0; i < a->rank; i++) {
        if (a->dim[i] != b->dim[i]) {
            return false;
        }
    }
    return true;
}

/* Bytes of row `row` of a frozen weight in its file's format, rows of c numbers. */
static inline const uint8_t *mdf_raw_row(const mdf_tensor *t, int64_t c, int64_t row)
{
    return (const uint8_t *)t->raw + (size_t)row * mdf_dtype_row_bytes(t->dtype, (size_t)c);
}

/* True if t is no such weight, or one of numbers whose rows of c are whole blocks. */
static inline bool mdf_raw_fits(const mdf_tensor *t, int64_t c)
{
    return t->raw == NULL || ((mdf_dtype_is_float(t->dtype) || mdf_dtype_is_block(t->dtype)) &&
                              mdf_dtype_row_bytes(t->dtype, (size_t)c) > 0);
}

enum { MDF_RAW_PIECE = 256 }; /* numbers: the largest block */

/* out = count numbers from the block at src on. */
static inline void mdf_raw_reals(const mdf_tensor *t, const uint8_t *src, int64_t count,
                                 mdf_real *out)
{
#ifdef MDF_REAL_DOUBLE
    const bool good = mdf_dtype_to_doubles(t->dtype, src, (size_t)count, out);
#else
    const bool good = mdf_dtype_to_floats(t->dtype, src, (size_t)count, out);
#endif
    assert(good); /* mdf_raw_fits() */
    (void)good;
}

/* mdf_grad_target() for an op whose gradient for t may be written over that of its output `out`, of
 * as many numbers: where t has none yet it takes that buffer, and out's is NULL from then on. */
mdf_real *mdf_grad_target_over(mdf_graph *g, mdf_tensor *t, mdf_tensor *out, bool *acc);

/* mdf_grad_target() for a kernel that can't leave this gradient out: scratch of the arena (*acc
 * false) where none is wanted. NULL: out of memory, the sticky error is set. */
mdf_real *mdf_grad_target_or_scratch(mdf_graph *g, mdf_tensor *t, bool *acc);

/* y (+)= x over n numbers, by the compute threads. */
void mdf_add_into(const mdf_graph *g, mdf_real *y, const mdf_real *x, int64_t n, bool acc);

/* db [c] += the column sums of dy [n,c], by the compute threads. scratch holds MDF_ROW_BLOCKS * c
 * numbers. */
void mdf_bias_grad(const mdf_graph *g, mdf_real *db, const mdf_real *dy, int64_t n, int64_t c,
                   mdf_real *scratch);

/* Along one axis of `size` pixels: how many come out, and how many zeros stand before the first. */
typedef struct mdf_same_axis {
    int64_t out, pad;
} mdf_same_axis;
mdf_same_axis mdf_same(int64_t size, int64_t kernel, int64_t stride);

static inline bool mdf_clips(mdf_clip c)
{
    return c.low > -(mdf_real)INFINITY || c.high < (mdf_real)INFINITY;
}

/* dy [n] = 0 where y was clipped, by the compute threads. */
void mdf_clip_grad(const mdf_graph *g, mdf_real *dy, const mdf_real *y, int64_t n, mdf_clip clip);

#endif
