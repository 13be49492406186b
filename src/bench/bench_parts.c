/* What every measurement shares: the announcement, the median, a row of the report. */
#include "bench/bench_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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
