/* In which order the cases of an epoch are seen: a function of seed and epoch alone. */
#include "train/sampler.h"

#include <math.h>

#include "base/alloc.h"
#include "base/rng.h"

/* The cases of a class, of one data folder or (-1) of all. */
static size_t find_members(size_t *members, const mdf_samples *s, int label, int source)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const mdf_sample *c = &s->item[i];
        if (c->label == label && (source < 0 || c->info->source == source)) {
            members[n++] = i;
        }
    }
    return n;
}

/* Appends `want` draws: whole shuffled passes over the members, then a part of one. */
static size_t draw_members(size_t *out, size_t want, size_t *members, size_t n, mdf_rng *r)
{
    for (size_t i = 0; n > 0 && i < want; i++) {
        if (i % n == 0) {
            mdf_rng_shuffle(members, n, r);
        }
        out[i] = members[i % n];
    }
    return n > 0 ? want : 0;
}

/* Appends `want` draws of one class, shared out among the data folders that have it. */
static size_t draw_class(size_t *out, size_t want, const mdf_samples *s, int label, double power,
                         size_t *members, mdf_rng *r)
{
    int sources = 1;
    double total = 0;
    for (size_t i = 0; i < s->count; i++) {
        sources = s->item[i].info->source >= sources ? s->item[i].info->source + 1 : sources;
    }
    if (sources == 1 || power == 1) {
        return draw_members(out, want, members, find_members(members, s, label, -1), r);
    }
    for (int d = 0; d < sources; d++) {
        const size_t n = find_members(members, s, label, d);
        total += n > 0 ? pow((double)n, power) : 0;
    }
    size_t drawn = 0;
    double share = 0; /* of the folders so far: rounding them together leaves no draw over */
    for (int d = 0; d < sources && total > 0; d++) {
        const size_t n = find_members(members, s, label, d);
        share += n > 0 ? pow((double)n, power) / total : 0;
        const size_t until = (size_t)llround(fmin(share, 1) * (double)want);
        drawn += draw_members(out + drawn, until - drawn, members, n, r);
    }
    return drawn;
}

/* The epoch's draws, in no order that matters yet. */
static size_t draw_epoch(size_t *out, const mdf_samples *s, int classes, const mdf_draw *d,
                         size_t *members, mdf_rng *r)
{
    size_t labelled = 0;
    size_t present = 0;
    size_t n = 0;
    for (int k = 0; k < classes; k++) {
        size_t of_class = 0;
        for (size_t i = 0; i < s->count; i++) {
            of_class += s->item[i].label == k;
        }
        labelled += of_class;
        present += of_class > 0;
    }
    for (int k = 0; d->balanced && k < classes; k++) {
        n += draw_class(out + n, labelled / (present > 0 ? present : 1), s, k, d->set_power,
                        members, r);
    }
    for (size_t i = 0; i < s->count; i++) {
        const bool plain = !d->balanced && s->item[i].label >= 0;
        const bool only_mask = s->item[i].label < 0 && s->item[i].has_mask;
        if (plain || only_mask) {
            out[n++] = i;
        }
    }
    return n;
}

/* Puts the batches in random order: index and begin are rewritten. */
static void order_batches(mdf_epoch_plan *p, const size_t *from, const size_t *start, size_t *order,
                          mdf_rng *r)
{
    for (size_t i = 0; i < p->batches; i++) {
        order[i] = i;
    }
    mdf_rng_shuffle(order, p->batches, r);
    size_t at = 0;
    for (size_t i = 0; i < p->batches; i++) {
        p->begin[i] = at;
        for (size_t j = start[order[i]]; j < start[order[i] + 1]; j++) {
            p->index[at++] = from[j];
        }
    }
    p->begin[p->batches] = at;
}

mdf_status mdf_epoch_plan_make(mdf_epoch_plan *p, const mdf_samples *s, int classes, size_t batch,
                               const mdf_draw *draw, uint64_t seed, int epoch, mdf_error *err)
{
    *p = (mdf_epoch_plan){0};
    mdf_rng r = mdf_rng_new(mdf_rng_mix(seed, (uint64_t)epoch), 3);
    const size_t room = 2 * s->count + 1;
    size_t *drawn = mdf_alloc(room, sizeof *drawn);
    size_t *grouped = mdf_alloc(room, sizeof *grouped);
    size_t *start = mdf_alloc(room, sizeof *start);
    size_t *order = mdf_alloc(room, sizeof *order);
    p->index = mdf_alloc(room, sizeof *p->index);
    p->begin = mdf_alloc(room, sizeof *p->begin);
    mdf_status status = MDF_OK;
    if (drawn == NULL || grouped == NULL || start == NULL || order == NULL || p->index == NULL ||
        p->begin == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the order of %zu cases", s->count);
    } else {
        p->count = draw_epoch(drawn, s, classes, draw, order, &r);
        mdf_rng_shuffle(drawn, p->count, &r);
        size_t n = 0;
        for (int masked = 0; masked < 2; masked++) {
            const size_t group = n;
            for (size_t i = 0; i < p->count; i++) {
                if (s->item[drawn[i]].has_mask == (masked != 0)) {
                    if ((n - group) % batch == 0) {
                        start[p->batches++] = n;
                    }
                    grouped[n++] = drawn[i];
                }
            }
        }
        start[p->batches] = n;
        order_batches(p, grouped, start, order, &r);
    }
    mdf_free(drawn);
    mdf_free(grouped);
    mdf_free(start);
    mdf_free(order);
    if (status != MDF_OK) {
        mdf_epoch_plan_free(p);
    }
    return status;
}

/* Batch n of `from`, behind those of p. */
static void append_batch(mdf_epoch_plan *p, const mdf_epoch_plan *from, size_t n)
{
    p->begin[p->batches++] = p->count;
    for (size_t i = from->begin[n]; i < from->begin[n + 1]; i++) {
        p->focus[p->count] = from->focus == NULL ? MDF_MASK_NAMES : from->focus[i];
        p->index[p->count++] = from->index[i];
    }
}

mdf_status mdf_epoch_plan_mix(mdf_epoch_plan *out, const mdf_epoch_plan *pictures,
                              const mdf_epoch_plan *crops, uint64_t seed, int epoch, mdf_error *err)
{
    const size_t count = pictures->count + crops->count;
    const size_t batches = pictures->batches + crops->batches;
    mdf_rng r = mdf_rng_new(mdf_rng_mix(seed, (uint64_t)epoch), 5);
    *out = (mdf_epoch_plan){.index = mdf_alloc(count + 1, sizeof *out->index),
                            .begin = mdf_alloc(batches + 1, sizeof *out->begin),
                            .focus = mdf_alloc(count + 1, sizeof *out->focus)};
    size_t *order = mdf_alloc(batches + 1, sizeof *order);
    if (out->index == NULL || out->begin == NULL || out->focus == NULL || order == NULL) {
        mdf_free(order);
        mdf_epoch_plan_free(out);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the order of %zu cases", count);
    }
    for (size_t i = 0; i < batches; i++) {
        order[i] = i;
    }
    mdf_rng_shuffle(order, batches, &r);
    for (size_t i = 0; i < batches; i++) {
        const bool crop = order[i] >= pictures->batches;
        append_batch(out, crop ? crops : pictures, order[i] - (crop ? pictures->batches : 0));
    }
    out->begin[batches] = count;
    mdf_free(order);
    return MDF_OK;
}

const mdf_mask_name *mdf_epoch_plan_focus(const mdf_epoch_plan *p, size_t n)
{
    const mdf_mask_name *focus = p->focus == NULL ? NULL : p->focus + p->begin[n];
    return focus == NULL || *focus == MDF_MASK_NAMES ? NULL : focus;
}

void mdf_epoch_plan_free(mdf_epoch_plan *p)
{
    mdf_free(p->index);
    mdf_free(p->begin);
    mdf_free(p->focus);
    *p = (mdf_epoch_plan){0};
}
