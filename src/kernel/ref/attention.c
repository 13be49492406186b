/* The specification of attention: all scores of a row, its softmax, its sum of values. */
#include <string.h>

#include "kernel/ref/ref.h"

size_t mdf_attention_scratch_ref(mdf_dtype kv_type, int64_t head_dim, int64_t nk)
{
    (void)kv_type;
    return (size_t)head_dim * 2 * sizeof(double) + (size_t)nk * sizeof(mdf_real);
}

/* out [head_dim] = key or value `at` of those that begin at first. A type that is none of the
 * contract's gives NaN. */
static void numbers_of(const mdf_attention_task *t, const void *first, int64_t at, double *out)
{
    if (t->kv_type == MDF_DTYPE_REAL) {
        const mdf_real *x = (const mdf_real *)first + at * t->ldk;
        for (int64_t d = 0; d < t->head_dim; d++) {
            out[d] = (double)x[d];
        }
        return;
    }
    const size_t before = mdf_dtype_row_bytes(t->kv_type, (size_t)(at * t->ldk));
    if (!mdf_dtype_to_doubles(t->kv_type, (const uint8_t *)first + before, (size_t)t->head_dim,
                              out)) {
        for (int64_t d = 0; d < t->head_dim; d++) {
            out[d] = (double)NAN;
        }
    }
}

static double score_of(const mdf_attention_task *t, const mdf_real *q, int64_t key, double *number)
{
    double sum = 0;
    numbers_of(t, t->k, key, number);
    for (int64_t d = 0; d < t->head_dim; d++) {
        sum += (double)q[d] * number[d];
    }
    return sum / sqrt((double)t->head_dim) + (t->key_bias == NULL ? 0 : (double)t->key_bias[key]);
}

/* In place: weights of n scores, which sum to 1; returns the log of the sum of their exponentials.
 */
static mdf_real weigh(mdf_real *score, int64_t n)
{
    mdf_real max = -(mdf_real)INFINITY;
    for (int64_t j = 0; j < n; j++) {
        max = score[j] > max ? score[j] : max;
    }
    max = max == -(mdf_real)INFINITY ? 0 : max; /* all -INFINITY or NaN */
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        score[j] = mdf_exp(score[j] - max);
        sum += (double)score[j];
    }
    for (int64_t j = 0; j < n && sum != 0; j++) {
        score[j] = (mdf_real)((double)score[j] / sum);
    }
    return sum == 0 ? -(mdf_real)INFINITY : max + (mdf_real)log(sum);
}

void mdf_attention_ref(const mdf_attention_task *t, void *scratch)
{
    double *number = scratch; /* [head_dim], then the sums of a row [head_dim], then its scores */
    double *sum = number + t->head_dim;
    mdf_real *score = (mdf_real *)(sum + t->head_dim);
    for (int64_t r = t->first; r < t->first + t->rows; r++) {
        const int64_t query = r / t->heads;
        const int64_t head = r % t->heads;
        const int64_t at = query * t->ldq + head * t->head_dim;
        const mdf_attention_sight *see = &t->sight;
        const mdf_key_span s = see->span(see->context, query, 1);
        for (int64_t j = s.from; j < s.to; j++) {
            score[j] = (mdf_real)score_of(t, t->q + at, j, number);
        }
        if (s.mask_from < s.mask_to) {
            see->mask(see->context, query, s.mask_from, s.mask_to - s.mask_from,
                      score + s.mask_from, 1);
        }
        t->lse[head * t->lse_step + query] = weigh(score + s.from, s.to - s.from);
        memset(sum, 0, (size_t)t->head_dim * sizeof *sum);
        for (int64_t j = s.from; j < s.to; j++) {
            numbers_of(t, t->v, j, number);
            for (int64_t d = 0; d < t->head_dim; d++) {
                sum[d] += (double)score[j] * number[d];
            }
        }
        for (int64_t d = 0; d < t->head_dim; d++) {
            t->y[at + d] = (mdf_real)sum[d];
        }
    }
}
