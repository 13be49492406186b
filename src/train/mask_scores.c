/* How well a model draws masks: Dice of each kind inside the field of view. */
#include "train/mask_scores.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "data/lesions.h"
#include "train/stats.h"

/* Does the mask, of whatever size over the same square, hold the centre of pixel (x, y) of side? */
static bool mask_at(const mdf_grey *mask, int x, int y, int side)
{
    const int64_t mx = (2 * (int64_t)x + 1) * mask->width / (2 * (int64_t)side);
    const int64_t my = (2 * (int64_t)y + 1) * mask->height / (2 * (int64_t)side);
    return mask->px[my * mask->width + mx] != 0;
}

/* maps [side,side,masks]: channel k against the sample's mask. */
static double dice(const float *maps, int masks, int k, const mdf_sample *s, const mdf_grey *mask)
{
    const int side = s->image.width;
    mdf_dice_count count = {0};
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            if (!mdf_fov_holds(&s->fov, x + 0.5, y + 0.5)) {
                continue;
            }
            const size_t at = (size_t)y * (size_t)side + (size_t)x;
            const bool answer = maps[at * (size_t)masks + (size_t)k] > 0.5F;
            const bool truth = mask_at(mask, x, y, side);
            count.both += answer && truth;
            count.predicted += answer;
            count.truth += truth;
        }
    }
    const double value = mdf_dice_value(&count);
    return isnan(value) ? 1 : value;
}

void mdf_mask_score_add(mdf_mask_score *s, double dice, bool partial)
{
    s->n++;
    s->boxes += partial;
    s->sum += dice;
    s->square += dice * dice;
}

/* The likeliest of the model's kinds of lesion at each pixel; false: it draws none. */
static bool any_lesion(float *out, const float *maps, const mdf_unet_config *u, size_t pixels)
{
    const size_t stride = (size_t)u->mask_channels;
    bool any = false;
    memset(out, 0, pixels * sizeof *out);
    for (size_t k = 0; k < stride; k++) {
        if (!mdf_mask_is_lesion(u->masks[k])) {
            continue;
        }
        any = true;
        for (size_t i = 0; i < pixels; i++) {
            const float p = maps[i * stride + k];
            out[i] = p > out[i] ? p : out[i];
        }
    }
    return any;
}

static mdf_status add_lesions(mdf_mask_scores *out, const float *maps, const mdf_unet_config *u,
                              const mdf_sample *s, mdf_error *err)
{
    const size_t pixels = (size_t)s->image.width * (size_t)s->image.width;
    mdf_grey truth = {0};
    MDF_TRY(mdf_sample_lesions(&truth, s, err));
    if (truth.px == NULL) {
        return MDF_OK;
    }
    float *map = mdf_alloc(pixels, sizeof *map);
    mdf_status status =
        map == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for masks") : MDF_OK;
    if (status == MDF_OK && any_lesion(map, maps, u, pixels)) {
        status = mdf_lesion_places_add(&out->lesion, map, &truth, s, err);
    }
    mdf_free(map);
    mdf_grey_free(&truth);
    return status;
}

/* [M] what must be drawn to say something of the sample: what it has masks of, and all kinds of
 * lesion if it has one of any. */
static void choose_masks(bool *wanted, const mdf_unet_config *u, const mdf_sample *s)
{
    bool lesions = false;
    for (int i = 0; i < MDF_LESION_MASKS; i++) {
        lesions = lesions || s->mask[mdf_lesion_masks[i]].px != NULL;
    }
    for (int k = 0; k < u->mask_channels; k++) {
        wanted[k] = s->mask[u->masks[k]].px != NULL || (lesions && mdf_mask_is_lesion(u->masks[k]));
    }
}

mdf_status mdf_mask_scores_add(mdf_mask_scores *out, mdf_graph *g, const mdf_mllm *m,
                               const mdf_sample *s, mdf_error *err)
{
    const mdf_unet_config *u = &m->config.unet;
    const size_t side = (size_t)s->image.width;
    bool wanted[MDF_MAX_MASKS];
    choose_masks(wanted, u, s);
    float *maps = mdf_alloc(side * side * (size_t)u->mask_channels, sizeof *maps);
    mdf_status status = maps == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for masks")
                                     : mdf_segment_crop(maps, wanted, g, m, &s->image, err);
    for (int k = 0; status == MDF_OK && k < u->mask_channels; k++) {
        const mdf_grey *mask = &s->mask[u->masks[k]];
        mdf_mask_score *score = &out->of[u->masks[k]];
        if (mask->px != NULL && !(u->masks[k] == MDF_MASK_DISC && s->only_centre)) {
            mdf_mask_score_add(score, dice(maps, u->mask_channels, k, s, mask),
                               s->partial[u->masks[k]]);
        }
        if (u->masks[k] == MDF_MASK_DISC) {
            status = mdf_disc_places_add(&out->disc, maps + k, u->mask_channels, s, err);
        }
    }
    if (status == MDF_OK) {
        status = add_lesions(out, maps, u, s, err);
    }
    mdf_free(maps);
    return status == MDF_OK || status == MDF_ERR_STOPPED
               ? status
               : mdf_fail_prefix(err, status, s->info->file_name);
}

mdf_status mdf_mask_scores_run(mdf_mask_scores *out, mdf_graph *g, const mdf_mllm *m,
                               const mdf_samples *s, mdf_samples_progress *progress, void *user,
                               mdf_error *err)
{
    *out = (mdf_mask_scores){0};
    for (size_t i = 0; i < s->count; i++) {
        if (s->item[i].has_mask) {
            MDF_TRY(mdf_mask_scores_add(out, g, m, &s->item[i], err));
        }
        if (progress != NULL && !progress(user, i + 1, s->count)) {
            return mdf_fail(err, MDF_ERR_STOPPED, "stopped while drawing masks");
        }
    }
    return MDF_OK;
}

bool mdf_mask_scores_any(const mdf_mask_scores *m)
{
    for (int k = 0; k < MDF_MASK_NAMES; k++) {
        if (m->of[k].n > 0) {
            return true;
        }
    }
    return m->disc.n > 0 || m->lesion.n > 0;
}

double mdf_mask_score_dice(const mdf_mask_score *s)
{
    return s->n > 0 ? s->sum / (double)s->n : (double)NAN;
}

double mdf_mask_scores_mean(const mdf_mask_scores *m)
{
    double sum = 0;
    int kinds = 0;
    for (int k = 0; k < MDF_MASK_NAMES; k++) {
        if (m->of[k].n > 0) {
            sum += mdf_mask_score_dice(&m->of[k]);
            kinds++;
        }
    }
    return kinds > 0 ? sum / kinds : (double)NAN;
}

/* Standard deviation over the pictures; 0 of one. */
static double deviation(const mdf_mask_score *s)
{
    const double mean = mdf_mask_score_dice(s);
    const double variance =
        s->n > 1 ? (s->square - (double)s->n * mean * mean) / (double)(s->n - 1) : 0;
    return variance > 0 ? sqrt(variance) : 0;
}

json_t *mdf_mask_scores_json(const mdf_mask_scores *m)
{
    json_t *out = json_object();
    bool ok = out != NULL;
    for (int k = 0; ok && k < MDF_MASK_NAMES; k++) {
        const mdf_mask_score *s = &m->of[k];
        if (s->n > 0) {
            json_t *one =
                json_pack("{s:f, s:f, s:I, s:I}", "dice", mdf_mask_score_dice(s), "sd",
                          deviation(s), "n", (json_int_t)s->n, "from_boxes", (json_int_t)s->boxes);
            ok = json_object_set_new(out, mdf_mask_names[k], one) == 0;
        }
    }
    if (ok && m->disc.n > 0) {
        ok = json_object_set_new(out, "disc_centre", mdf_disc_places_json(&m->disc)) == 0;
    }
    if (ok && m->lesion.n > 0) {
        ok = json_object_set_new(out, "lesions", mdf_lesion_places_json(&m->lesion)) == 0;
    }
    if (!ok) {
        json_decref(out);
        return NULL;
    }
    return out;
}

void mdf_mask_scores_text(mdf_strbuf *out, const mdf_mask_scores *m)
{
    for (int k = 0; k < MDF_MASK_NAMES; k++) {
        const mdf_mask_score *s = &m->of[k];
        if (s->n > 0) {
            char name[32];
            (void)snprintf(name, sizeof name, "%s Dice", mdf_mask_names[k]);
            mdf_strbuf_printf(out, "%-20s  %.3f  (%zu picture%s, sd %.3f%s)\n", name,
                              mdf_mask_score_dice(s), s->n, s->n == 1 ? "" : "s", deviation(s),
                              s->boxes > 0 ? ", boxes for masks" : "");
        }
    }
    mdf_mask_places_text(out, &m->disc, &m->lesion);
}
