/* What train_config.task = "segment" learns from. */
#include "train/segment_samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "data/crop.h"

enum {
    APART = 10, /* one patient of so many */
    HEALTHY = 4 /* one crop of a lesion of so many is of an eye without */
};

static bool has_any(const mdf_manifest_case *k, const mdf_config *c)
{
    for (int i = 0; i < c->unet.mask_channels; i++) {
        if (mdf_case_has_mask(k, c->unet.masks[i]) || mdf_case_is_free_of(k, c->unet.masks[i])) {
            return true;
        }
    }
    return false;
}

void mdf_segment_mark_healthy(mdf_manifest *m, const mdf_train_config *c)
{
    for (size_t i = 0; i < m->case_count; i++) {
        mdf_manifest_case *k = &m->cases[i];
        for (int j = 0; k->label >= 0 && j < c->healthy_count; j++) {
            k->healthy = k->healthy || strcmp(m->labels[k->label], c->healthy[j]) == 0;
        }
    }
}

/* Returns how many go. */
static size_t keep_masked(mdf_manifest *m, const mdf_config *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->case_count; i++) {
        if (has_any(&m->cases[i], c)) {
            m->cases[kept++] = m->cases[i];
        }
    }
    const size_t gone = m->case_count - kept;
    m->case_count = kept;
    return gone;
}

static size_t count_masked(const mdf_manifest *m, mdf_mask_name name)
{
    size_t n = 0;
    for (size_t i = 0; i < m->case_count; i++) {
        n += mdf_case_has_mask(&m->cases[i], name);
    }
    return n;
}

/* A patient and where the dice put him: by his name, so that neither the order of the folders nor
 * where they lie matters. */
typedef struct drawn {
    uint64_t place;
    int patient;
} drawn;

static int compare_drawn(const void *a, const void *b)
{
    const drawn *x = a;
    const drawn *y = b;
    return x->place != y->place ? (x->place > y->place) - (x->place < y->place)
                                : (x->patient > y->patient) - (x->patient < y->patient);
}

/* The patients of train with a mask `name`, each once, in drawn order. */
static size_t draw_patients(drawn *list, const mdf_manifest *train, mdf_mask_name name)
{
    size_t n = 0;
    for (size_t i = 0; i < train->case_count; i++) {
        const mdf_manifest_case *c = &train->cases[i];
        bool known = !mdf_case_has_mask(c, name);
        for (size_t j = 0; !known && j < n; j++) {
            known = list[j].patient == c->patient;
        }
        if (!known) {
            const char *who = strcmp(c->patient_id, c->path) == 0 ? c->file_name : c->patient_id;
            list[n++] = (drawn){mdf_rng_mix(mdf_rng_hash(who), 1), c->patient};
        }
    }
    if (n > 0) {
        qsort(list, n, sizeof *list, compare_drawn);
    }
    return n;
}

/* The cases of a patient go from train to val; val has room. */
static void move_patient(mdf_manifest *train, mdf_manifest *val, int patient)
{
    size_t kept = 0;
    for (size_t i = 0; i < train->case_count; i++) {
        if (train->cases[i].patient == patient) {
            val->cases[val->case_count++] = train->cases[i];
        } else {
            train->cases[kept++] = train->cases[i];
        }
    }
    train->case_count = kept;
}

/* list [train->case_count]: scratch. */
static void put_apart(mdf_manifest *train, mdf_manifest *val, mdf_mask_name name, drawn *list,
                      mdf_strbuf *said)
{
    const size_t before = train->case_count;
    const size_t n = draw_patients(list, train, name);
    const size_t wanted = n < 2 ? 0 : (n + APART - 1) / APART;
    for (size_t i = 0; i < wanted; i++) {
        move_patient(train, val, list[i].patient);
    }
    mdf_strbuf_puts(said, said->len > 0 ? "; " : "");
    if (wanted == 0) {
        mdf_strbuf_printf(said, "nothing validates %s: one patient alone has a mask of it",
                          mdf_mask_names[name]);
    } else {
        mdf_strbuf_printf(said,
                          "it has no mask of %s: for that %zu of %zu patients (%zu of %zu "
                          "pictures) of the training are kept apart",
                          mdf_mask_names[name], wanted, n, before - train->case_count, before);
    }
}

/* val's cases may be as many as both have; strings stay where they are, in train's memory. */
static mdf_status make_room(mdf_manifest *train, mdf_manifest *val, mdf_error *err)
{
    mdf_manifest_case *grown = mdf_grow(val->cases, val->case_count,
                                        val->case_count + train->case_count + 1, sizeof *grown);
    if (grown == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of cases");
    }
    val->cases = grown;
    return MDF_OK;
}

static mdf_status fail_no_masks(const mdf_config *c, mdf_error *err)
{
    char names[160] = "";
    for (int i = 0; i < c->unet.mask_channels; i++) {
        const size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                       mdf_mask_names[c->unet.masks[i]]);
    }
    return mdf_fail(err, MDF_ERR_ARG, "train_config.%s: no training picture has a mask of %s",
                    c->train.mask_crops ? "mask_crops" : "task = \"segment\"", names);
}

mdf_status mdf_segment_keep(mdf_manifest *m, const mdf_config *c, mdf_error *err)
{
    (void)keep_masked(m, c);
    for (int i = 0; i < c->unet.mask_channels; i++) {
        if (count_masked(m, c->unet.masks[i]) > 0) {
            return MDF_OK;
        }
    }
    return fail_no_masks(c, err);
}

mdf_status mdf_segment_cases(mdf_manifest *train, mdf_manifest *val, const mdf_config *c,
                             size_t *out_of_use, mdf_strbuf *said, mdf_error *err)
{
    *out_of_use = keep_masked(train, c);
    (void)keep_masked(val, c);
    if (train->case_count == 0) {
        return fail_no_masks(c, err);
    }
    MDF_TRY(make_room(train, val, err));
    drawn *list = mdf_alloc(train->case_count, sizeof *list);
    if (list == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of patients");
    }
    for (int i = 0; i < c->unet.mask_channels; i++) {
        const mdf_mask_name name = c->unet.masks[i];
        if (count_masked(val, name) == 0 && count_masked(train, name) > 0) {
            put_apart(train, val, name, list, said);
        }
    }
    mdf_free(list);
    return val->case_count > 0 && train->case_count > 0
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_ARG,
                          "train_config.task = \"segment\": all pictures with masks are of one "
                          "patient, which leaves none for the validation");
}

/* share `at` of `total` among `count`, as equal as whole numbers can be. */
static size_t share(size_t total, size_t count, size_t at)
{
    return total / count + (at < total % count ? 1 : 0);
}

/* Pictures of one data folder with a mask that somebody drew, or those that are free of it;
 * returns how many. */
static size_t members(size_t *list, const mdf_samples *s, mdf_mask_name name, int source, bool free)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const mdf_sample *c = &s->item[i];
        if (c->mask[name].px != NULL && c->info->source == source &&
            mdf_case_is_free_of(c->info, name) == free) {
            list[n++] = i;
        }
    }
    return n;
}

typedef struct planner {
    const mdf_samples *s;
    mdf_epoch_plan *p;
    size_t *list; /* [s->count] */
    int sources;
    mdf_rng rng;
} planner;

static size_t count_sets(planner *d, mdf_mask_name name, bool free)
{
    size_t sets = 0;
    for (int source = 0; source < d->sources; source++) {
        sets += members(d->list, d->s, name, source, free) > 0;
    }
    return sets;
}

/* Appends `want` crops for one name, of `sets` data folders. */
static void draw_sets(planner *d, mdf_mask_name name, bool free, size_t want, size_t sets)
{
    size_t set = 0;
    for (int source = 0; source < d->sources; source++) {
        const size_t n = members(d->list, d->s, name, source, free);
        const size_t crops = n > 0 ? share(want, sets, set) : 0;
        set += n > 0;
        for (size_t i = 0; i < crops; i++) {
            if (i % n == 0) {
                mdf_rng_shuffle(d->list, n, &d->rng);
            }
            d->p->focus[d->p->count] = name;
            d->p->index[d->p->count++] = d->list[i % n];
        }
    }
}

static void draw_name(planner *d, mdf_mask_name name, size_t want)
{
    const size_t sick = count_sets(d, name, false);
    const size_t free = count_sets(d, name, true);
    const size_t healthy = free == 0 ? 0 : want / HEALTHY;
    draw_sets(d, name, true, healthy, free);
    draw_sets(d, name, false, want - healthy, sick);
}

static int count_sources(const mdf_samples *s)
{
    int sources = 0;
    for (size_t i = 0; i < s->count; i++) {
        sources = s->item[i].info->source >= sources ? s->item[i].info->source + 1 : sources;
    }
    return sources;
}

/* Did anybody draw it on a picture? */
static bool is_there(const planner *d, mdf_mask_name name)
{
    for (size_t i = 0; i < d->s->count; i++) {
        const mdf_sample *c = &d->s->item[i];
        if (c->mask[name].px != NULL && !mdf_case_is_free_of(c->info, name)) {
            return true;
        }
    }
    return false;
}

static void draw_all(planner *d, const mdf_config *c)
{
    const mdf_crop_config *how = &c->train.crop;
    const mdf_mask_name *list = how->focus_count > 0 ? how->focus : c->unet.masks;
    const int listed = how->focus_count > 0 ? how->focus_count : c->unet.mask_channels;
    mdf_mask_name present[MDF_MAX_FOCUS];
    size_t names = 0;
    for (int k = 0; k < listed; k++) {
        if (is_there(d, list[k])) {
            present[names++] = list[k];
        }
    }
    for (size_t k = 0; k < names; k++) {
        draw_name(d, present[k], share((size_t)how->per_epoch, names, k));
    }
    mdf_epoch_plan *p = d->p;
    for (size_t i = p->count; i > 1; i--) {
        const size_t j = mdf_rng_below(&d->rng, (uint32_t)i);
        const size_t index = p->index[i - 1];
        const mdf_mask_name focus = p->focus[i - 1];
        p->index[i - 1] = p->index[j];
        p->focus[i - 1] = p->focus[j];
        p->index[j] = index;
        p->focus[j] = focus;
    }
}

/* Those crops of p that show the whole field of view, or the others, in batches. */
static mdf_status choose(mdf_epoch_plan *out, const mdf_epoch_plan *p, const mdf_config *c,
                         bool whole, mdf_error *err)
{
    const size_t batch = (size_t)c->train.batch_size;
    *out = (mdf_epoch_plan){.index = mdf_alloc(p->count + 1, sizeof *out->index),
                            .begin = mdf_alloc(p->count + 1, sizeof *out->begin),
                            .focus = mdf_alloc(p->count + 1, sizeof *out->focus)};
    if (out->index == NULL || out->begin == NULL || out->focus == NULL) {
        mdf_epoch_plan_free(out);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the order of %zu crops", p->count);
    }
    for (size_t i = 0; i < p->count; i++) {
        if (mdf_crop_is_whole(c, p->focus[i]) == whole) {
            if (out->count % batch == 0) {
                out->begin[out->batches++] = out->count;
            }
            out->focus[out->count] = p->focus[i];
            out->index[out->count++] = p->index[i];
        }
    }
    out->begin[out->batches] = out->count;
    return MDF_OK;
}

/* All pictures of a batch have one size. */
static mdf_status make_batches(mdf_epoch_plan *out, const mdf_epoch_plan *p, const mdf_config *c,
                               int epoch, mdf_error *err)
{
    mdf_epoch_plan parts;
    mdf_epoch_plan wholes;
    MDF_TRY(choose(&parts, p, c, false, err));
    mdf_status status = choose(&wholes, p, c, true, err);
    if (status == MDF_OK) {
        status = mdf_epoch_plan_mix(out, &parts, &wholes, mdf_rng_mix((uint64_t)c->train.seed, 6),
                                    epoch, err);
        mdf_epoch_plan_free(&wholes);
    }
    mdf_epoch_plan_free(&parts);
    return status;
}

mdf_status mdf_segment_plan_make(mdf_epoch_plan *p, const mdf_samples *s, const mdf_config *c,
                                 int epoch, mdf_error *err)
{
    const size_t crops = (size_t)c->train.crop.per_epoch;
    mdf_epoch_plan all = {.index = mdf_alloc(crops, sizeof *all.index),
                          .focus = mdf_alloc(crops, sizeof *all.focus)};
    planner d = {.s = s,
                 .p = &all,
                 .list = mdf_alloc(s->count, sizeof *d.list),
                 .sources = count_sources(s),
                 .rng = mdf_rng_new(mdf_rng_mix((uint64_t)c->train.seed, (uint64_t)epoch), 3)};
    *p = (mdf_epoch_plan){0};
    mdf_status status = MDF_OK;
    if (all.index == NULL || all.focus == NULL || d.list == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the order of %zu crops", crops);
    } else {
        draw_all(&d, c);
        status = make_batches(p, &all, c, epoch, err);
    }
    mdf_free(d.list);
    mdf_epoch_plan_free(&all);
    return status;
}
