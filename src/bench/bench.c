/* The order of the measurements. Whole steps first: their peak memory is not to contain the arrays
 * of the others. Stages of a model are measured alone for the same reason. */
#include "bench/bench.h"

#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/bench_parts.h"

const char *mdf_bench_sentence(int64_t i)
{
    static const char *const sentences[] = {
        "69-year-old female. Left eye. Fellow eye: normal fundus.",
        "57-year-old male. Right eye. Fellow eye: drusen.",
        "44-year-old male. Left eye. Fellow eye: moderate non proliferative retinopathy.",
        "72-year-old female. Right eye. Fellow eye: cataract."};
    return sentences[(size_t)i % (sizeof sentences / sizeof sentences[0])];
}

mdf_status mdf_bench_next(const mdf_bench *b, const char *what, mdf_error *err)
{
    if (b->opt->stop != NULL && *b->opt->stop != 0) {
        return mdf_fail(err, MDF_ERR_STOPPED, "stopped before %s was measured", what);
    }
    if (b->opt->progress != NULL) {
        b->opt->progress(b->opt->user, what);
    }
    return MDF_OK;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

double mdf_bench_median(double *seconds, int n)
{
    qsort(seconds, (size_t)n, sizeof *seconds, compare);
    return seconds[n / 2];
}

mdf_bench_row *mdf_bench_add(const mdf_bench *b, const char *what, double flops, double seconds,
                             const char *shape, ...)
{
    mdf_bench_report *r = b->report;
    r->rows += r->rows < MDF_BENCH_ROWS ? 1 : 0;
    mdf_bench_row *row = &r->row[r->rows - 1];
    *row = (mdf_bench_row){.seconds = seconds, .gflops = flops / seconds * 1e-9};
    row->share = row->gflops / r->peak[1];
    (void)snprintf(row->what, sizeof row->what, "%s", what);
    va_list ap;
    va_start(ap, shape);
    (void)vsnprintf(row->shape, sizeof row->shape, shape, ap);
    va_end(ap);
    return row;
}

void mdf_bench_set_reading(mdf_bench_row *row, double bytes, double plain_seconds)
{
    row->gbytes = bytes / row->seconds * 1e-9;
    row->share = plain_seconds / row->seconds;
}

static void default_labels(mdf_config *c)
{
    static const char *const odir[] = {"normal", "dr", "glaucoma", "amd", "cataract", "myopia"};
    const int n = (int)(sizeof odir / sizeof odir[0]);
    for (int i = 0; c->answer.label_count == 0 && i < n; i++) {
        (void)snprintf(c->answer.labels[i], sizeof c->answer.labels[i], "%s", odir[i]);
    }
    c->answer.label_count = c->answer.label_count == 0 ? n : c->answer.label_count;
}

static mdf_status measure(mdf_bench *b, mdf_error *err)
{
    typedef mdf_status part_fn(mdf_bench * b, mdf_error * err);
    part_fn *const parts[] = {mdf_bench_unet,  mdf_bench_model,     mdf_bench_gemm,
                              mdf_bench_conv,  mdf_bench_attention, mdf_bench_depthwise,
                              mdf_bench_stages};
    MDF_TRY(mdf_kernels_new(&b->kernels, b->opt->max_isa, err));
    (void)snprintf(b->report->isa, sizeof b->report->isa, "%s", b->kernels->isa);
    b->report->threads = omp_get_max_threads();
    MDF_TRY(mdf_bench_machine(b, err));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if ((b->opt->parts >> i & 1U) != 0) {
            MDF_TRY(parts[i](b, err));
        }
    }
    return MDF_OK;
}

mdf_status mdf_bench_run(mdf_bench_report *r, const mdf_bench_options *opt, mdf_error *err)
{
    memset(r, 0, sizeof *r);
    if (opt->repeat < 1) {
        return mdf_fail(err, MDF_ERR_ARG, "a benchmark wants at least one run, not %d",
                        opt->repeat);
    }
    mdf_bench *b = mdf_alloc(1, sizeof *b);
    if (b == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
    }
    *b = (mdf_bench){.opt = opt, .config = *opt->config, .report = r};
    default_labels(&b->config);
    const mdf_status status = measure(b, err);
    mdf_kernels_free(b->kernels);
    mdf_free(b);
    return status;
}
