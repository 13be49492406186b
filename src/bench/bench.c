/* The order of the measurements. Whole steps first: their peak memory is not to contain the arrays
 * of the others. Stages of a model are measured alone for the same reason. */
#include "bench/bench.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/bench_parts.h"

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
    static const struct {
        unsigned asked; /* any of these */
        part_fn *run;
    } parts[] = {{MDF_BENCH_UNET, mdf_bench_unet},
                 {MDF_BENCH_STEP, mdf_bench_model},
                 {MDF_BENCH_GEMM, mdf_bench_gemm},
                 {MDF_BENCH_CONV, mdf_bench_conv},
                 {MDF_BENCH_ATTENTION, mdf_bench_attention},
                 {MDF_BENCH_DEPTHWISE, mdf_bench_depthwise},
                 {MDF_BENCH_STEP | MDF_BENCH_OPTIMIZER, mdf_bench_optimizer},
                 {MDF_BENCH_STAGES, mdf_bench_stages}};
    MDF_TRY(mdf_kernels_new(&b->kernels, b->opt->max_isa, err));
    (void)snprintf(b->report->isa, sizeof b->report->isa, "%s", b->kernels->isa);
    b->report->threads = omp_get_max_threads();
    MDF_TRY(mdf_bench_machine(b, err));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if ((b->opt->parts & parts[i].asked) != 0) {
            MDF_TRY(parts[i].run(b, err));
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
