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
