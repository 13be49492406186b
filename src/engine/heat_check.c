/* The hottest cell of heat-maps against lesion masks. */
#include "engine/heat_check.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "data/lesions.h"
#include "engine/explain.h"
#include "engine/heat_measure.h"

/* rarest: the smallest chance of a hit so far. A map whose hottest cells are several hits if all of
 * them are on the lesion. */
static mdf_status compare(mdf_heat_check *out, const mdf_result *r, const mdf_sample *s,
                          const mdf_grey *mask, double *rarest, mdf_error *err)
{
    mdf_heat_truth truth;
    float heat[MDF_HEAT_CELLS];
    MDF_TRY(mdf_heat_truth_of(&truth, mask, s->fov.kind == MDF_FOV_CIRCLE, err));
    if (truth.pixel != NULL) {
        mdf_heat_resample(heat, MDF_OCCLUSION_SIDE, r->heat, r->heat_side);
        out->n++;
        out->chance += truth.chance;
        if (mdf_heat_hit(heat, &truth) >= 1) {
            out->hits++;
            out->example = truth.chance < *rarest ? s->info->file_name : out->example;
            *rarest = truth.chance < *rarest ? truth.chance : *rarest;
        }
    }
    mdf_heat_truth_free(&truth);
    return MDF_OK;
}

/* truth: the label that the map must explain. One picture at a time may round another way than a
 * batch did, so the answer is looked at again. */
static mdf_status check_case(mdf_heat_check *out, mdf_session *session, const mdf_manifest_case *c,
                             const char *truth, double *rarest, mdf_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_samples one = {0};
    mdf_grey mask = {0};
    MDF_TRY(mdf_file_read(c->path, MDF_MAX_IMAGE_BYTES, &bytes, &len, err));
    mdf_result *r = mdf_alloc(1, sizeof *r);
    mdf_status status = r == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory") : MDF_OK;
    if (status == MDF_OK) {
        status = mdf_session_classify(session,
                                      &(mdf_case){.image = bytes,
                                                  .image_bytes = len,
                                                  .name = c->path,
                                                  .text = c->text,
                                                  .heatmap = true},
                                      r, err);
    }
    mdf_free(bytes);
    if (status == MDF_OK && r->heat_side > 0 && strcmp(r->label[r->best], truth) == 0) {
        /* Cropped to the square that the model saw. */
        mdf_manifest_case copy = *c;
        status = mdf_samples_load(&one, &(mdf_manifest){.cases = &copy, .case_count = 1},
                                  &(mdf_samples_options){.side = r->crop_side,
                                                         .use_image = true,
                                                         .masks = mdf_lesion_masks,
                                                         .mask_count = MDF_LESION_MASKS},
                                  NULL, NULL, err);
        if (status == MDF_OK) {
            status = mdf_sample_lesions(&mask, &one.item[0], err);
        }
        if (status == MDF_OK && mask.px != NULL) {
            status = compare(out, r, &one.item[0], &mask, rarest, err);
        }
    }
    mdf_samples_free(&one);
    mdf_grey_free(&mask);
    mdf_free(r);
    return status;
}

static mdf_status check_all(mdf_heat_check *out, mdf_session *session, const mdf_manifest *m,
                            const mdf_evaluation *ev, mdf_samples_progress *progress, void *user,
                            mdf_error *err)
{
    double rarest = 2;
    for (size_t i = 0; i < ev->n; i++) {
        const mdf_manifest_case *c = mdf_evaluation_case(ev, i, m);
        if (c == NULL || !mdf_case_has_lesions(c)) {
            continue;
        }
        out->masks++;
        if (mdf_argmax(ev->prob + i * ev->classes, ev->classes) == ev->label[i]) {
            MDF_TRY(check_case(out, session, c, ev->label_name[ev->label[i]], &rarest, err));
        }
        if (progress != NULL && !progress(user, i + 1, ev->n)) {
            return mdf_fail(err, MDF_ERR_STOPPED, "stopped while checking heat-maps");
        }
    }
    return MDF_OK;
}

mdf_status mdf_heat_check_run(mdf_heat_check *out, mdf_engine *e, const mdf_manifest *m,
                              const mdf_evaluation *ev, mdf_samples_progress *progress, void *user,
                              mdf_error *err)
{
    *out = (mdf_heat_check){0};
    mdf_session *session = NULL;
    if (e->model->config.train.use_image) {
        MDF_TRY(mdf_session_new(&session, e, err));
        mdf_status status = mdf_session_restrict(session, ev->label_name, ev->classes, err);
        if (status == MDF_OK) {
            status = check_all(out, session, m, ev, progress, user, err);
        }
        mdf_session_free(session);
        MDF_TRY(status);
    }
    const double n = (double)out->n;
    out->rate = out->n > 0 ? (double)out->hits / n : (double)NAN;
    out->chance = out->n > 0 ? out->chance / n : (double)NAN;
    out->rate_ci = mdf_wilson(out->hits, out->n);
    return MDF_OK;
}

json_t *mdf_heat_check_json(const mdf_heat_check *h)
{
    if (h->n == 0) {
        return json_pack("{s:I, s:i, s:i, s:n, s:n, s:n, s:n}", "masks", (json_int_t)h->masks, "n",
                         0, "hits", 0, "rate", "rate_ci", "chance", "example");
    }
    return json_pack("{s:I, s:I, s:I, s:f, s:[f,f], s:f, s:s?}", "masks", (json_int_t)h->masks, "n",
                     (json_int_t)h->n, "hits", (json_int_t)h->hits, "rate", h->rate, "rate_ci",
                     h->rate_ci.low, h->rate_ci.high, "chance", h->chance, "example", h->example);
}
