/* A model gets used to a camera. */
#include "engine/adapt.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "data/batch_fill.h"
#include "photo/signature.h"
#include "train/distance.h"
#include "train/norm_statistics.h"

enum { BATCH = 16 };

typedef struct work {
    mdf_engine *engine;
    const mdf_adapt_options *opt;
    mdf_manifest_case *order; /* [count] the manifest's cases, shuffled */
    size_t count;
    int side;         /* of the U-Net's picture */
    mdf_real *image;  /* [BATCH,side,side,3] */
    float *signature; /* [count,MDF_SIGNATURE] */
    mdf_kernels *kernels;
    mdf_graph graph;
    mdf_norm_means means;
    mdf_doubt_config *doubt; /* what takes the place of the configuration's */
} work;

static void work_free(work *w)
{
    mdf_norm_means_free(&w->means);
    mdf_graph_free(&w->graph);
    mdf_kernels_free(w->kernels);
    mdf_free(w->doubt);
    mdf_free(w->signature);
    mdf_free(w->image);
    mdf_free(w->order);
}

/* Neighbours in a table are often eyes of one person or of one disease. */
static void shuffle(mdf_manifest_case *item, size_t n, uint64_t seed)
{
    mdf_rng r = mdf_rng_new(seed, 5);
    for (size_t i = n; i > 1; i--) {
        const size_t j = mdf_rng_below(&r, (uint32_t)i);
        const mdf_manifest_case k = item[i - 1];
        item[i - 1] = item[j];
        item[j] = k;
    }
}

static mdf_status prepare(work *w, const mdf_manifest *m, mdf_error *err)
{
    const mdf_engine *e = w->engine;
    const mdf_config *c = &e->model->config;
    w->count = m->case_count;
    if (w->count < MDF_ADAPT_LEAST) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%zu photographs are too few for statistics; it takes %d at least",
                        w->count, MDF_ADAPT_LEAST);
    }
    w->side = (int)c->unet.image_size;
    w->order = mdf_alloc(w->count, sizeof *w->order);
    w->signature = mdf_alloc(w->count, MDF_SIGNATURE * sizeof *w->signature);
    w->image = mdf_alloc((size_t)BATCH * 3 * (size_t)w->side * (size_t)w->side, sizeof *w->image);
    w->doubt = mdf_alloc(1, sizeof *w->doubt);
    if (w->order == NULL || w->signature == NULL || w->image == NULL || w->doubt == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %zu photographs", w->count);
    }
    for (size_t i = 0; i < w->count; i++) {
        w->order[i] = m->cases[i];
        w->order[i].box_count = 0;
    }
    shuffle(w->order, w->count, w->opt->seed);
    MDF_TRY(mdf_kernels_new(&w->kernels, e->max_isa, err));
    return mdf_graph_init(&w->graph, w->kernels, false, 0, err);
}

/* Photographs [from, from + n) of the order: pixels and signatures. */
static mdf_status read_batch(work *w, size_t from, size_t n, mdf_error *err)
{
    const mdf_config *c = &w->engine->model->config;
    const mdf_mllama_norm norm = mdf_unet_norm(c);
    const int crop = mdf_config_crop_side(c);
    const mdf_manifest part = {.cases = w->order + from, .case_count = n};
    const mdf_samples_options how = {.side = crop, .use_image = true};
    const size_t pixels = 3 * (size_t)w->side * (size_t)w->side;
    mdf_samples s = {0};
    MDF_TRY(mdf_samples_load(&s, &part, &how, NULL, NULL, err));
    mdf_status status = MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < n; i++) {
        const mdf_image *image = &s.item[i].image;
        status = mdf_crop_pixels(w->image + i * pixels, image, w->side, &norm, err);
        if (status == MDF_OK) {
            status = mdf_signature(w->signature + (from + i) * MDF_SIGNATURE, image, crop, err);
        }
    }
    mdf_samples_free(&s);
    return status;
}

/* Every photograph once, in batches of nearly the same size. */
static mdf_status run_batches(work *w, mdf_error *err)
{
    const size_t batches = (w->count + BATCH - 1) / BATCH;
    for (size_t i = 0; i < batches; i++) {
        const size_t from = w->count * i / batches;
        const size_t n = w->count * (i + 1) / batches - from;
        MDF_TRY(read_batch(w, from, n, err));
        MDF_TRY(mdf_norm_means_add(&w->means, w->engine->model, &w->graph, w->image, (int64_t)n,
                                   w->side, err));
        if (w->opt->progress != NULL && !w->opt->progress(w->opt->user, from + n, w->count)) {
            return mdf_fail(err, MDF_ERR_STOPPED, "stopped; nothing was written");
        }
    }
    return MDF_OK;
}

mdf_status mdf_adapt(mdf_adapted *out, mdf_engine *e, mdf_config *c, const mdf_manifest *m,
                     const mdf_adapt_options *opt, mdf_error *err)
{
    work w = {.engine = e, .opt = opt};
    MDF_TRY(mdf_norm_means_new(&w.means, e->model, err));
    mdf_status status = prepare(&w, m, err);
    if (status == MDF_OK) {
        status = run_batches(&w, err);
    }
    if (status == MDF_OK) {
        status = mdf_distance_fit(w.doubt, w.signature, w.count, opt->share, err);
    }
    if (status == MDF_OK) {
        *out = (mdf_adapted){w.count, w.means.batches, mdf_norm_means_shift(&w.means, e->model)};
        c->doubt = *w.doubt;
    }
    mdf_norm_means_set(&w.means, e->model, status == MDF_OK ? opt->weight : 0);
    work_free(&w);
    return status;
}
