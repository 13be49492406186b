/* Attention of every level, the reference too, against sums in double over all keys. */
#include "kernel_test.h"

enum { WIDTH_MAX = 768, QUERIES_MAX = 210, KEYS_MAX = 200, GUARD = 16 };

/* Products of up to 128 numbers below 1, sums of up to 200 keys, exp to 2 ulp: some dozens of
 * roundings of 6e-8, and scores that are known to half an ulp of themselves. */
#define ATTENTION_ERROR 4e-6
#define ULP             1.2e-7

static const char *const every_level[] = {"ref", "avx2", "avx512"};

typedef struct attention_case {
    int64_t heads, kv_heads, head_dim, nq, nk;
    int64_t pieces; /* rows of a task; 0: all */
    float scale;    /* of q; 0: 1 */
    bool bias, causal, holes;
    int64_t from, to;  /* keys that the span tells; both 0: all */
    mdf_dtype by_head; /* keys and values of this type, head by head; 0: floats, key by key */
} attention_case;

static float q[QUERIES_MAX * WIDTH_MAX], y[QUERIES_MAX * WIDTH_MAX + GUARD];
static float k[KEYS_MAX * WIDTH_MAX], v[KEYS_MAX * WIDTH_MAX], bias[KEYS_MAX];
static float lse[WIDTH_MAX * QUERIES_MAX + GUARD];
static double want_y[QUERIES_MAX * WIDTH_MAX], want_lse[WIDTH_MAX * QUERIES_MAX];

/* Causal: the last query sees the last key. Holes: query 5 sees nothing, 6 only key 3. */
static bool sees(const attention_case *c, int64_t i, int64_t j)
{
    if (c->to > 0 && (j < c->from || j >= c->to)) {
        return false;
    }
    if (c->causal) {
        return j <= i + c->nk - c->nq;
    }
    if (c->holes && (i == 5 || i == 6)) {
        return i == 6 && j == 3;
    }
    return !c->holes || (i * 7 + j * 3) % 5 != 0;
}

static mdf_key_span span(const void *context, int64_t query, int64_t queries)
{
    const attention_case *c = context;
    assert_true(query >= 0 && queries > 0 && query + queries <= c->nq);
    const int64_t from = c->from;
    const int64_t to = c->to > 0 ? c->to : c->nk;
    if (c->causal) {
        const int64_t own = query + c->nk - c->nq;
        const int64_t end = own + queries < to ? own + queries : to;
        return (mdf_key_span){from, end < from ? from : end, own + 1 < end ? own + 1 : end, end};
    }
    return (mdf_key_span){from, to, from, c->holes ? to : from};
}

static void mask(const void *context, int64_t query, int64_t key, int64_t keys, float *score,
                 int64_t stride)
{
    const attention_case *c = context;
    assert_true(c->causal || c->holes);
    assert_true(query >= 0 && query < c->nq && key >= 0 && keys > 0 && key + keys <= c->nk);
    for (int64_t j = 0; j < keys; j++) {
        score[j * stride] = sees(c, query, key + j) ? score[j * stride] : -INFINITY;
    }
}

static void plain_row(const attention_case *c, int64_t i, int64_t h)
{
    const int64_t kv = h / (c->heads / c->kv_heads) * c->head_dim;
    const int64_t row = i * c->heads * c->head_dim + h * c->head_dim;
    double score[KEYS_MAX];
    double max = -(double)INFINITY;
    double sum = 0;
    for (int64_t j = 0; j < c->nk; j++) {
        score[j] = c->bias ? (double)bias[j] : 0;
        for (int64_t d = 0; d < c->head_dim; d++) {
            score[j] += (double)q[row + d] * (double)k[j * c->kv_heads * c->head_dim + kv + d] /
                        sqrt((double)c->head_dim);
        }
        score[j] = sees(c, i, j) ? score[j] : -(double)INFINITY;
        max = score[j] > max ? score[j] : max;
    }
    for (int64_t j = 0; j < c->nk; j++) {
        score[j] = max == -(double)INFINITY ? 0 : exp(score[j] - max);
        sum += score[j];
    }
    want_lse[h * c->nq + i] = sum == 0 ? -(double)INFINITY : max + log(sum);
    for (int64_t d = 0; d < c->head_dim; d++) {
        want_y[row + d] = 0;
        for (int64_t j = 0; j < c->nk && sum > 0; j++) {
            want_y[row + d] += score[j] / sum * (double)v[j * c->kv_heads * c->head_dim + kv + d];
        }
    }
}

/* x [nk, kv_heads * head_dim] head by head in the case's type; x becomes what that type keeps of
 * it, so that sums over x are those over the bytes. */
static uint8_t *pack(const attention_case *c, float *x)
{
    const size_t row = mdf_dtype_row_bytes(c->by_head, (size_t)c->head_dim);
    uint8_t *bytes = mdf_alloc((size_t)(c->kv_heads * c->nk), row);
    assert_non_null(bytes);
    for (int64_t kv = 0; kv < c->kv_heads; kv++) {
        for (int64_t j = 0; j < c->nk; j++) {
            float *from = x + (j * c->kv_heads + kv) * c->head_dim;
            uint8_t *to = bytes + (size_t)(kv * c->nk + j) * row;
            assert_true(mdf_dtype_from_floats(c->by_head, from, (size_t)c->head_dim, to));
            assert_true(mdf_dtype_to_floats(c->by_head, to, (size_t)c->head_dim, from));
        }
    }
    return bytes;
}

/* Where the keys or values x of a head begin. */
static const void *head_of(const attention_case *c, const float *x, const uint8_t *packed,
                           int64_t kv)
{
    return packed == NULL ? (const void *)(x + kv * c->head_dim)
                          : packed + (size_t)(kv * c->nk) *
                                         mdf_dtype_row_bytes(c->by_head, (size_t)c->head_dim);
}

/* All rows, in tasks of `pieces`; nothing behind y, lse and the scratch may be written. */
static void run_packed(const mdf_kernels *kernels, const attention_case *c, const uint8_t *keys,
                       const uint8_t *values)
{
    const mdf_dtype type = keys == NULL ? MDF_DTYPE_F32 : c->by_head;
    const int64_t group = c->heads / c->kv_heads;
    const int64_t pieces = c->pieces > 0 ? c->pieces : c->nq * group;
    const size_t bytes = kernels->attention_scratch(type, c->head_dim, c->nk);
    uint8_t *scratch = mdf_alloc(bytes + 64, 1);
    memset(scratch + bytes, 0xa5, 64);
    for (int64_t kv = 0; kv < c->kv_heads; kv++) {
        for (int64_t row = 0; row < c->nq * group; row += pieces) {
            const mdf_attention_task t = {
                .q = q + kv * group * c->head_dim,
                .k = head_of(c, k, keys, kv),
                .v = head_of(c, v, values, kv),
                .kv_type = type,
                .key_bias = c->bias ? bias : NULL,
                .y = y + kv * group * c->head_dim,
                .lse = lse + kv * group * c->nq,
                .ldq = c->heads * c->head_dim,
                .ldk = keys != NULL ? c->head_dim : c->kv_heads * c->head_dim,
                .lse_step = c->nq,
                .heads = group,
                .head_dim = c->head_dim,
                .first = row,
                .rows = c->nq * group - row < pieces ? c->nq * group - row : pieces,
                .sight = {span, mask, c}};
            kernels->attention(&t, scratch);
        }
    }
    for (int i = 0; i < 64; i++) {
        assert_int_equal(scratch[bytes + (size_t)i], 0xa5);
    }
    mdf_free(scratch);
}

static void run(const mdf_kernels *kernels, const attention_case *c)
{
    run_packed(kernels, c, NULL, NULL);
}

static void compare(const float *got, const double *want, int64_t n, double tolerance,
                    const attention_case *c, const char *what)
{
    for (int64_t i = 0; i < n; i++) {
        const double error = fabs((double)got[i] - want[i]);
        if ((double)got[i] != want[i] && !(error <= tolerance * (1 + fabs(want[i])))) {
            fail_msg("%s %lld is %.9g, want %.9g: %lld/%lld heads of %lld, %lld x %lld, %s", what,
                     (long long)i, (double)got[i], want[i], (long long)c->heads,
                     (long long)c->kv_heads, (long long)c->head_dim, (long long)c->nq,
                     (long long)c->nk, mdf_dtype_name(c->by_head));
        }
    }
    for (int i = 0; i < GUARD; i++) {
        assert_true(got[n + i] == 77);
    }
}

static void check(const mdf_kernels *kernels, const attention_case *c)
{
    const int64_t width = c->heads * c->head_dim;
    assert_true(width <= WIDTH_MAX && c->nq <= QUERIES_MAX && c->nk <= KEYS_MAX);
    const float scale = c->scale > 0 ? c->scale : 1;
    fill(q, c->nq * width, scale, 1);
    fill(k, c->nk * c->kv_heads * c->head_dim, 1, 2);
    fill(v, c->nk * c->kv_heads * c->head_dim, 1, 3);
    fill(bias, c->nk, 3, 4);
    uint8_t *keys = c->by_head == 0 ? NULL : pack(c, k);
    uint8_t *values = c->by_head == 0 ? NULL : pack(c, v);
    for (int64_t i = 0; i < c->nq * width + GUARD; i++) {
        y[i] = 77;
    }
    for (int64_t i = 0; i < c->nq * c->heads + GUARD; i++) {
        lse[i] = 77;
    }
    for (int64_t i = 0; i < c->nq; i++) {
        for (int64_t h = 0; h < c->heads; h++) {
            plain_row(c, i, h);
        }
    }
    run_packed(kernels, c, keys, values);
    mdf_free(keys);
    mdf_free(values);
    /* a score may be as large as scale sqrt(head_dim) */
    const double error =
        ATTENTION_ERROR + 2 * ULP * (double)(scale - 1) * sqrt((double)c->head_dim);
    compare(y, want_y, c->nq * width, error, c, "y");
    compare(lse, want_lse, c->nq * c->heads, error, c, "lse");
}

static void on_every_level(const attention_case *c, size_t count)
{
    for (size_t l = 0; l < sizeof every_level / sizeof every_level[0]; l++) {
        mdf_kernels *kernels = level(every_level[l]);
        for (size_t i = 0; i < count; i++) {
            check(kernels, &c[i]);
        }
        mdf_kernels_free(kernels);
    }
}

/* Blocks of 64 keys, of 24 or 48 rows, rows of 4 or 8 numbers: below, at and above each. */
static void every_size(void **state)
{
    static const int64_t dims[] = {1, 3, 7, 8, 17, 64, 80, 96, 128};
    static const int64_t queries[] = {1, 2, 3, 4, 5, 8, 9, 16, 17, 24, 25, 47, 48, 49, 210};
    static const int64_t keys[] = {1, 2, 4, 7, 63, 64, 65, 200};
    (void)state;
    for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
        for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
            for (size_t j = 0; j < sizeof keys / sizeof keys[0]; j++) {
                if ((d + i + j) % 3 == 0 || dims[d] == 80) {
                    on_every_level(&(attention_case){.heads = 1,
                                                     .kv_heads = 1,
                                                     .head_dim = dims[d],
                                                     .nq = queries[i],
                                                     .nk = keys[j],
                                                     .bias = j % 2 == 0},
                                   1);
                }
            }
        }
    }
}

static void heads_share_keys(void **state)
{
    static const attention_case c[] = {
        {.heads = 6, .kv_heads = 2, .head_dim = 8, .nq = 50, .nk = 70},
        {.heads = 6, .kv_heads = 2, .head_dim = 64, .nq = 1, .nk = 70, .bias = true},
        {.heads = 6, .kv_heads = 2, .head_dim = 20, .nq = 2, .nk = 130},
        {.heads = 4, .kv_heads = 4, .head_dim = 80, .nq = 3, .nk = 66},
        {.heads = 4, .kv_heads = 1, .head_dim = 128, .nq = 30, .nk = 90},
        {.heads = 5, .kv_heads = 1, .head_dim = 9, .nq = 1, .nk = 65},
    };
    (void)state;
    on_every_level(c, sizeof c / sizeof c[0]);
}

/* As a cache keeps them: blocks of 64 or 96 keys, rows of a few and of many queries. */
static void keys_by_head_of_every_type(void **state)
{
    static const mdf_dtype types[] = {MDF_DTYPE_F32, MDF_DTYPE_F16, MDF_DTYPE_BF16, MDF_DTYPE_Q8_0};
    static const int64_t dims[] = {1, 3, 7, 8, 9, 15, 17, 33, 64, 80, 96, 128};
    static const int64_t queries[] = {1, 2, 3, 9, 50};
    static const int64_t keys[] = {1, 5, 64, 97, 200};
    (void)state;
    size_t n = 0;
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
            for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
                for (size_t j = 0; j < sizeof keys / sizeof keys[0]; j++, n++) {
                    const bool grouped = n % 2 == 0;
                    if ((t + d + i + j) % 3 == 0 &&
                        dims[d] % (int64_t)mdf_dtype_block(types[t]) == 0) {
                        on_every_level(&(attention_case){.heads = grouped ? 6 : 2,
                                                         .kv_heads = 2,
                                                         .head_dim = dims[d],
                                                         .nq = queries[i],
                                                         .nk = keys[j],
                                                         .bias = n % 3 == 0,
                                                         .by_head = types[t]},
                                       1);
                    }
                }
            }
        }
    }
}

static void masks_by_head_of_every_type(void **state)
{
    static const mdf_dtype types[] = {MDF_DTYPE_F32, MDF_DTYPE_F16, MDF_DTYPE_BF16, MDF_DTYPE_Q8_0};
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        const mdf_dtype type = types[t];
        const attention_case c[] = {
            {.heads = 2,
             .kv_heads = 1,
             .head_dim = 32,
             .nq = 70,
             .nk = 190,
             .causal = true,
             .by_head = type},
            {.heads = 2,
             .kv_heads = 2,
             .head_dim = 64,
             .nq = 2,
             .nk = 190,
             .causal = true,
             .by_head = type},
            {.heads = 3,
             .kv_heads = 1,
             .head_dim = 32,
             .nq = 60,
             .nk = 130,
             .holes = true,
             .bias = true,
             .by_head = type},
            {.heads = 1,
             .kv_heads = 1,
             .head_dim = 32,
             .nq = 8,
             .nk = 130,
             .holes = true,
             .by_head = type},
            {.heads = 1,
             .kv_heads = 1,
             .head_dim = 96,
             .nq = 60,
             .nk = 190,
             .from = 70,
             .to = 150,
             .by_head = type},
            {.heads = 1,
             .kv_heads = 1,
             .head_dim = 96,
             .nq = 3,
             .nk = 190,
             .from = 10,
             .to = 12,
             .by_head = type},
            {.heads = 3,
             .kv_heads = 1,
             .head_dim = 32,
             .nq = 100,
             .nk = 150,
             .causal = true,
             .pieces = 23,
             .by_head = type},
        };
        on_every_level(c, sizeof c / sizeof c[0]);
    }
}

/* Wherever the rows are cut: tasks of a few rows, of part of a query's heads, of several blocks. */
static void rows_in_tasks(void **state)
{
    static const int64_t pieces[] = {1, 2, 5, 7, 9, 23, 50, 192, 193};
    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        attention_case c = {.heads = 3,
                            .kv_heads = 1,
                            .head_dim = 12,
                            .nq = 100,
                            .nk = 150,
                            .causal = true,
                            .pieces = pieces[i]};
        on_every_level(&c, 1);
        c.causal = false;
        c.holes = true;
        on_every_level(&c, 1);
    }
}

static void masks(void **state)
{
    static const attention_case c[] = {
        {.heads = 1, .kv_heads = 1, .head_dim = 16, .nq = 200, .nk = 200, .causal = true},
        {.heads = 2, .kv_heads = 1, .head_dim = 16, .nq = 70, .nk = 190, .causal = true},
        {.heads = 2, .kv_heads = 1, .head_dim = 16, .nq = 2, .nk = 190, .causal = true},
        {.heads = 1,
         .kv_heads = 1,
         .head_dim = 8,
         .nq = 130,
         .nk = 40,
         .causal = true}, /* 90 see nothing */
        {.heads = 3,
         .kv_heads = 1,
         .head_dim = 8,
         .nq = 60,
         .nk = 130,
         .holes = true,
         .bias = true},
        {.heads = 1, .kv_heads = 1, .head_dim = 8, .nq = 8, .nk = 130, .holes = true},
        {.heads = 1, .kv_heads = 1, .head_dim = 8, .nq = 60, .nk = 190, .from = 70, .to = 150},
        {.heads = 1, .kv_heads = 1, .head_dim = 8, .nq = 60, .nk = 190, .from = 63, .to = 64},
        {.heads = 1, .kv_heads = 1, .head_dim = 8, .nq = 3, .nk = 190, .from = 10, .to = 12},
        {.heads = 1,
         .kv_heads = 1,
         .head_dim = 8,
         .nq = 60,
         .nk = 190,
         .from = 3,
         .to = 140,
         .holes = true},
    };
    (void)state;
    on_every_level(c, sizeof c / sizeof c[0]);
}

/* exp of these overflows unless the largest score is known, which comes with a later block. */
static void large_scores(void **state)
{
    static const attention_case c[] = {
        {.heads = 1, .kv_heads = 1, .head_dim = 64, .nq = 60, .nk = 200, .scale = 400},
        {.heads = 1, .kv_heads = 1, .head_dim = 64, .nq = 3, .nk = 200, .scale = 400},
        {.heads = 1, .kv_heads = 1, .head_dim = 80, .nq = 60, .nk = 200, .scale = 60, .bias = true},
    };
    (void)state;
    on_every_level(c, sizeof c / sizeof c[0]);
}

/* Scores rise from key to key by a hundred, or fall. */
static void the_largest_score_moves(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof every_level / sizeof every_level[0]; l++) {
        mdf_kernels *kernels = level(every_level[l]);
        for (int64_t nq = 1; nq <= 31; nq += 30) {
            const attention_case c = {
                .heads = 1, .kv_heads = 1, .head_dim = 1, .nq = nq, .nk = 150};
            for (int falls = 0; falls < 2; falls++) {
                for (int64_t j = 0; j < c.nk; j++) {
                    k[j] = 100 * (float)(falls != 0 ? -j : j);
                    v[j] = (float)j;
                }
                for (int64_t i = 0; i < nq; i++) {
                    q[i] = 1;
                }
                run(kernels, &c);
                for (int64_t i = 0; i < nq; i++) {
                    assert_true(fabsf(y[i] - (falls != 0 ? 0.0f : 149.0f)) < 1e-40f);
                    assert_true(fabsf(lse[i] - (falls != 0 ? 0.0f : 14900.0f)) < 0.002f);
                }
            }
        }
        mdf_kernels_free(kernels);
    }
}

/* Biases of -INFINITY hide keys from all; a NaN is not lost. */
static void infinite_biases_and_nan(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof every_level / sizeof every_level[0]; l++) {
        mdf_kernels *kernels = level(every_level[l]);
        for (int64_t nq = 1; nq <= 51; nq += 50) {
            const attention_case c = {
                .heads = 1, .kv_heads = 1, .head_dim = 8, .nq = nq, .nk = 100, .bias = true};
            fill(q, nq * 8, 1, 1);
            fill(k, 100 * 8, 1, 2);
            fill(v, 100 * 8, 1, 3);
            for (int j = 0; j < 100; j++) {
                bias[j] = j == 70 ? 5 : -INFINITY;
            }
            run(kernels, &c);
            for (int64_t i = 0; i < nq * 8; i++) {
                assert_true(y[i] == v[70 * 8 + i % 8]);
            }
            bias[70] = -INFINITY;
            run(kernels, &c);
            for (int64_t i = 0; i < nq * 8; i++) {
                assert_true(y[i] == 0);
            }
            for (int64_t i = 0; i < nq; i++) {
                assert_true(lse[i] == -INFINITY);
            }
            memset(bias, 0, sizeof bias);
            q[3] = NAN;
            run(kernels, &c);
            for (int64_t i = 0; i < nq * 8; i++) {
                assert_true((y[i] != y[i]) == (i < 8));
            }
        }
        mdf_kernels_free(kernels);
    }
}

/* One key of score 0 and one of x: y = e^x / (1 + e^x). exp to 2 ulp, x itself to three roundings.
 */
static void exact_exponentials(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof every_level / sizeof every_level[0]; l++) {
        mdf_kernels *kernels = level(every_level[l]);
        for (int64_t nq = 1; nq <= QUERIES_MAX; nq += QUERIES_MAX - 1) {
            const attention_case c = {.heads = 1, .kv_heads = 1, .head_dim = 1, .nq = nq, .nk = 2};
            k[0] = 0;
            k[1] = 1;
            v[0] = 0;
            v[1] = 1;
            for (int step = 0; step < 8000; step += (int)nq) {
                for (int64_t i = 0; i < nq; i++) {
                    const int n = step + (int)i;
                    q[i] = n < 4000 ? -(float)n / 4000 : -(float)(n - 4000) / 50;
                }
                run(kernels, &c);
                for (int64_t i = 0; i < nq; i++) {
                    const double power = exp((double)q[i]);
                    const double want = power / (1 + power);
                    const double error = want * (2.5 + 1.5 * fabs((double)q[i])) * ULP;
                    if (!(fabs((double)y[i] - want) <= error)) {
                        fail_msg("exp(%.9g) is wrong by %.3g of %.3g", (double)q[i],
                                 fabs((double)y[i] - want) / want, error / want);
                    }
                }
            }
        }
        mdf_kernels_free(kernels);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size),
        cmocka_unit_test(heads_share_keys),
        cmocka_unit_test(keys_by_head_of_every_type),
        cmocka_unit_test(masks_by_head_of_every_type),
        cmocka_unit_test(rows_in_tasks),
        cmocka_unit_test(masks),
        cmocka_unit_test(large_scores),
        cmocka_unit_test(the_largest_score_moves),
        cmocka_unit_test(infinite_biases_and_nan),
        cmocka_unit_test(exact_exponentials),
    };
    return cmocka_run_group_tests_name("kernel/attention", tests, NULL, NULL);
}
