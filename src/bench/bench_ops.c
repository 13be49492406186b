/* Operations one by one: dense products and convolutions at the model's shapes. */
#include "base/alloc.h"
#include "base/clock.h"
#include "bench/bench_parts.h"
#include "language/prompt.h"

enum { REPEAT_MAX = 1000 };

/* Arrays that any operation here fits into. */
typedef struct arrays {
    mdf_real *x, *y, *w;
} arrays;

static mdf_status arrays_make(arrays *a, int64_t n, int64_t weights, mdf_error *err)
{
    *a = (arrays){mdf_alloc((size_t)n, sizeof *a->x), mdf_alloc((size_t)n, sizeof *a->y),
                  mdf_alloc((size_t)weights, sizeof *a->w)};
    if (a->x == NULL || a->y == NULL || a->w == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
    }
    for (int64_t i = 0; i < n; i++) {
        a->x[i] = (mdf_real)(i % 17) * MDF_R(0.1) - MDF_R(0.8);
        a->y[i] = (mdf_real)(i % 13) * MDF_R(0.1) - MDF_R(0.6);
    }
    for (int64_t i = 0; i < weights; i++) {
        a->w[i] = (mdf_real)(i % 11) * MDF_R(0.01) - MDF_R(0.05);
    }
    return MDF_OK;
}

static void arrays_free(arrays *a)
{
    mdf_free(a->x);
    mdf_free(a->y);
    mdf_free(a->w);
}

typedef struct product {
    const char *what;
    int64_t m, n, k;
} product;

enum { PRODUCTS = 7 };

/* Text rows of one case: a prompt of the data sets. */
static int64_t prompt_rows(const mdf_config *c)
{
    int32_t token[512];
    size_t count = 0;
    int32_t image_at = 0;
    mdf_error err = {0};
    mdf_tokenizer *bytes = NULL;
    mdf_status status = mdf_tokenizer_new_bytes(&bytes, c->image_token_index, &err);
    if (status == MDF_OK) {
        status = mdf_prompt_build(bytes, token, 512, &count, &image_at, mdf_bench_sentence(2), "",
                                  true, &err);
    }
    mdf_tokenizer_free(bytes);
    return status == MDF_OK ? (int64_t)count : 86;
}

static void products_of(product p[PRODUCTS], const mdf_config *c)
{
    const int64_t b = c->train.batch_size;
    const int64_t text = b * prompt_rows(c);
    const int64_t side = c->vision.image_size / c->vision.patch_size;
    const int64_t vision = b * (side * side + 1);
    const int64_t patches = b * c->fusion.grid * c->fusion.grid;
    const int64_t cells = (int64_t)c->fusion.cells * c->fusion.cells;
    const int64_t d = c->text.hidden_size;
    const int64_t f = c->text.intermediate_size;
    const int64_t dv = c->vision.hidden_size;
    p[0] = (product){"gemm text query", text, d, d};
    p[1] = (product){"gemm text up", text, f, d};
    p[2] = (product){"gemm text down", text, d, f};
    p[3] = (product){"gemm vision query", vision, dv, dv};
    p[4] = (product){"gemm vision up", vision, c->vision.intermediate_size, dv};
    p[5] = (product){"gemm patches level 1", patches, d, cells * c->unet.base};
    p[6] = (product){"gemm patches level 4", patches, d, cells * c->unet.base * 8};
}

/* y = x w^T, as a linear layer computes it; the first run warms up. */
static void time_product(const mdf_bench *b, const product *p, const arrays *a)
{
    double seconds[REPEAT_MAX];
    const int n = b->opt->repeat < REPEAT_MAX ? b->opt->repeat : REPEAT_MAX;
    for (int i = 0; i <= n; i++) {
        const double start = mdf_clock_seconds();
        b->kernels->gemm(false, true, p->m, p->n, p->k, 1, a->x, p->k, a->w, p->k, 0, a->y, p->n);
        seconds[i > 0 ? i - 1 : 0] = mdf_clock_seconds() - start;
    }
    (void)mdf_bench_add(b, p->what, 2.0 * (double)p->m * (double)p->n * (double)p->k,
                        mdf_bench_median(seconds, n), "%lld x %lld x %lld", (long long)p->m,
                        (long long)p->n, (long long)p->k);
}

mdf_status mdf_bench_gemm(mdf_bench *b, mdf_error *err)
{
    product p[PRODUCTS];
    arrays a;
    int64_t n = 1;
    int64_t weights = 1;
    products_of(p, &b->config);
    for (int i = 0; i < PRODUCTS; i++) {
        const int64_t wide = p[i].k > p[i].n ? p[i].k : p[i].n;
        n = p[i].m * wide > n ? p[i].m * wide : n;
        weights = p[i].n * p[i].k > weights ? p[i].n * p[i].k : weights;
    }
    mdf_status status = arrays_make(&a, n, weights, err);
    for (int i = 0; i < PRODUCTS && status == MDF_OK; i++) {
        status = mdf_bench_next(b, p[i].what, err);
        if (status == MDF_OK) {
            time_product(b, &p[i], &a);
        }
    }
    arrays_free(&a);
    return status != MDF_OK ? status : mdf_bench_weights(b, err);
}

static bool run_conv(const mdf_kernels *k, const mdf_conv_shape *s, int which, const arrays *a)
{
    switch (which) {
    case 0:
        return k->conv2d_fwd(k->conv_cache, s, a->y, a->x, a->w, NULL);
    case 1:
        return k->conv2d_bwd_data(k->conv_cache, s, a->x, a->y, a->w, false);
    default:
        return k->conv2d_bwd_weights(k->conv_cache, s, a->w, NULL, a->x, a->y);
    }
}

static const char *const conv_names[] = {"conv forward", "conv backward data",
                                         "conv backward weights"};

/* In turns with oneDNN's own, so that both meet the same disturbances. */
static mdf_status time_conv(const mdf_bench *b, const mdf_kernels *plain, const mdf_conv_shape *s,
                            int which, const arrays *a, mdf_error *err)
{
    double seconds[2][REPEAT_MAX];
    const int n = b->opt->repeat < REPEAT_MAX ? b->opt->repeat : REPEAT_MAX;
    MDF_TRY(mdf_bench_next(b, conv_names[which], err));
    for (int i = 0; i < 2 * (n + 1); i++) {
        const double start = mdf_clock_seconds();
        if (!run_conv(i % 2 == 0 ? b->kernels : plain, s, which, a)) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a convolution");
        }
        seconds[i % 2][i > 1 ? i / 2 - 1 : 0] = mdf_clock_seconds() - start;
    }
    const double products = (double)(s->n * s->h * s->w) * (double)(s->cin * s->cout * 9);
    mdf_bench_row *row =
        mdf_bench_add(b, conv_names[which], 2 * products, mdf_bench_median(seconds[0], n),
                      "%lld x %lld x %lld, %lld - %lld", (long long)s->n, (long long)s->h,
                      (long long)s->w, (long long)s->cin, (long long)s->cout);
    row->onednn_seconds = mdf_bench_median(seconds[1], n);
    return MDF_OK;
}

/* The 3x3 convolutions of a U-Net: two a level on the way down, two on the way up. */
static mdf_status unet_convs(const mdf_bench *b, const mdf_kernels *plain, int64_t base,
                             int64_t size, int64_t batch, mdf_error *err)
{
    arrays a;
    mdf_status status =
        arrays_make(&a, batch * size * size * base * 2, 9 * 16 * base * 16 * base, err);
    for (int which = 0; which < 3; which++) {
        for (int64_t l = 0; l < 5; l++) {
            const int64_t c = base << l;
            const int64_t cin[3] = {l == 0 ? 3 : c / 2, c, 2 * c};
            for (int i = 0; i < (l < 4 ? 3 : 2) && status == MDF_OK; i++) {
                const mdf_conv_shape s = {batch, size >> l, size >> l, cin[i], c, 3};
                if (which != 1 || l > 0 || i > 0) { /* nobody wants the picture's gradient */
                    status = time_conv(b, plain, &s, which, &a, err);
                }
            }
        }
    }
    arrays_free(&a);
    return status;
}

mdf_status mdf_bench_conv(mdf_bench *b, mdf_error *err)
{
    const mdf_bench_options *o = b->opt;
    const mdf_config *c = &b->config;
    const int64_t base = o->unet_base == 0 ? 32 : o->unet_base;
    const int64_t size = o->unet_size == 0 ? 256 : o->unet_size;
    const int64_t batch = o->unet_batch == 0 ? 8 : o->unet_batch;
    mdf_kernels plain = {0};
    mdf_kernels_fill_ref(&plain);
    if (!mdf_kernels_fill_dnnl(&plain)) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
    }
    mdf_status status = unet_convs(b, &plain, base, size, batch, err);
    if (status == MDF_OK && (base != c->unet.base || size != c->unet.image_size)) {
        status = unet_convs(b, &plain, c->unet.base, c->unet.image_size, c->train.batch_size, err);
    }
    if (plain.conv_cache_free != NULL) {
        plain.conv_cache_free(plain.conv_cache);
    }
    return status;
}
