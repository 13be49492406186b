/* How far an answer can be believed: sets of labels, and whether the photograph is of a known kind.
 */
#include "base/alloc.h"
#include "engine/session.h"
#include "photo/signature.h"
#include "train/conformal.h"
#include "train/distance.h"

mdf_status mdf_session_cover(mdf_session *s, double coverage, mdf_error *err)
{
    const mdf_config *c = &s->engine->model->config;
    mdf_conformal *sets = NULL;
    if (coverage != 0) {
        sets = mdf_alloc(1, sizeof *sets);
        if (sets == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the session");
        }
        const mdf_status status = mdf_conformal_new(sets, &c->doubt, coverage, err);
        if (status != MDF_OK) {
            mdf_free(sets);
            return status;
        }
    }
    mdf_free(s->sets);
    s->sets = sets;
    return MDF_OK;
}

mdf_status mdf_session_distance(const mdf_session *s, const mdf_image *crop, mdf_result *r,
                                mdf_error *err)
{
    const mdf_config *c = &s->engine->model->config;
    float signature[MDF_SIGNATURE];
    if (c->doubt.pictures == 0) {
        return MDF_OK;
    }
    MDF_TRY(mdf_signature(signature, crop, mdf_config_crop_side(c), err));
    r->distance = mdf_distance_of(&c->doubt, signature);
    r->distance_limit = c->doubt.distance_limit;
    r->distance_share = c->doubt.distance_share;
    if (r->distance > r->distance_limit && r->warning_count < MDF_MAX_WARNINGS) {
        r->warning[r->warning_count++] = MDF_WARNING_UNLIKE;
    }
    return MDF_OK;
}

mdf_status mdf_session_set(const mdf_session *s, mdf_result *r, mdf_error *err)
{
    r->set_count = -1;
    if (s->sets == NULL) {
        return MDF_OK;
    }
    for (int k = 0; k < r->label_count; k++) {
        if (!s->allowed[k]) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "a set of labels with a known coverage is of all labels, not of some");
        }
    }
    r->set_count = (int)mdf_conformal_set(r->in_set, s->sets, r->prob);
    return MDF_OK;
}
