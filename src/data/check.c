/* The data check: counting, hashing, comparing. */
#include "data/check.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "data/check_build.h"
#include "photo/fov.h"
#include "photo/image.h"
#include "photo/phash.h"
#include "photo/resize.h"

static mdf_status no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the data check");
}

/* Makes room for one more item; doubles. */
static void *room_for_one(void *items, size_t count, size_t size)
{
    const bool is_full = count == 0 || (count >= 16 && (count & (count - 1)) == 0);
    if (!is_full) {
        return items;
    }
    return mdf_grow(items, count, count == 0 ? 16 : count * 2, size);
}

static mdf_status count_cases(mdf_check *c, mdf_error *err)
{
    const mdf_manifest *m = c->m;
    size_t *side = mdf_alloc(m->case_count, sizeof *side);
    mdf_status status = side == NULL ? no_memory(err) : MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        size_t s = 0;
        while (s < c->split_count && strcmp(c->splits[s], m->cases[i].split) != 0) {
            s++;
        }
        if (s == c->split_count) {
            const char **grown = room_for_one(c->splits, c->split_count, sizeof *c->splits);
            if (grown == NULL) {
                status = no_memory(err);
                break;
            }
            c->splits = grown;
            c->splits[c->split_count++] = m->cases[i].split;
        }
        side[i] = s;
    }
    if (status == MDF_OK) {
        c->count = mdf_alloc((size_t)(m->label_count + 1) * c->split_count, sizeof *c->count);
        status = c->count == NULL ? no_memory(err) : MDF_OK;
    }
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        const int label = m->cases[i].label < 0 ? m->label_count : m->cases[i].label;
        c->count[(size_t)label * c->split_count + side[i]]++;
    }
    mdf_free(side);
    return status;
}

static mdf_status find_torn(mdf_check *c, mdf_error *err)
{
    const mdf_manifest *m = c->m;
    const char **side = mdf_alloc((size_t)m->patient_count, sizeof *side);
    uint8_t *known = mdf_alloc((size_t)m->patient_count, 1);
    mdf_status status = side == NULL || known == NULL ? no_memory(err) : MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        const mdf_manifest_case *k = &m->cases[i];
        if (side[k->patient] == NULL) {
            side[k->patient] = k->split;
        } else if (!known[k->patient] && strcmp(side[k->patient], k->split) != 0) {
            size_t *grown = room_for_one(c->torn, c->torn_count, sizeof *c->torn);
            if (grown == NULL) {
                status = no_memory(err);
                break;
            }
            c->torn = grown;
            c->torn[c->torn_count++] = i;
            known[k->patient] = 1;
        }
    }
    mdf_free(side);
    mdf_free(known);
    return status;
}

/* Where the clause about the other eye starts, and where its sentence ends. */
static const char *fellow_clause(const char *text, size_t *len)
{
    static const char *const starts[] = {"fellow eye", "other eye"};
    for (const char *p = text; *p != '\0'; p++) {
        for (size_t k = 0; k < sizeof starts / sizeof starts[0]; k++) {
            if (strncasecmp(p, starts[k], strlen(starts[k])) == 0) {
                *len = strcspn(p, ".;\n");
                return p;
            }
        }
    }
    return NULL;
}

static void find_leaks(mdf_check *c)
{
    for (size_t i = 0; i < c->m->case_count; i++) {
        const mdf_manifest_case *k = &c->m->cases[i];
        if (k->label < 0) {
            continue;
        }
        const char *label = c->m->labels[k->label];
        mdf_check_leak *leak = &c->leak[k->label];
        size_t clause_len = 0;
        const char *clause = fellow_clause(k->text, &clause_len);
        const size_t before = clause == NULL ? strlen(k->text) : (size_t)(clause - k->text);
        const char *after = clause == NULL ? "" : clause + clause_len;
        if (mdf_check_names_label(k->text, before, label) ||
            mdf_check_names_label(after, strlen(after), label)) {
            leak->first = leak->own == 0 ? i : leak->first;
            leak->own++;
        } else if (clause != NULL && mdf_check_names_label(clause, clause_len, label)) {
            leak->fellow++;
        }
    }
}

enum { THUMB = 32, THUMB_BYTES = THUMB * THUMB * 3 };

/* What is kept of a picture. */
typedef struct fingerprint {
    bool is_read;
    int width, height; /* of the picture; 0: it can't be read */
    uint64_t hash;
    uint8_t thumb[THUMB_BYTES];
} fingerprint;

static mdf_status take_fingerprint(const char *path, fingerprint *f, mdf_error *err)
{
    mdf_image im = {0};
    mdf_image crop = {0};
    MDF_TRY(mdf_image_read(&im, path, err));
    f->width = im.width;
    f->height = im.height;
    mdf_status status = mdf_fov_crop(&crop, NULL, &im, err);
    if (status == MDF_OK) {
        status = mdf_phash(&f->hash, &crop, err);
    }
    if (status == MDF_OK) {
        status =
            mdf_resize_bilinear(f->thumb, THUMB, THUMB, crop.rgb, crop.width, crop.height, 3, err);
    }
    f->is_read = status == MDF_OK;
    mdf_image_free(&crop);
    mdf_image_free(&im);
    return status;
}

static mdf_status read_all(mdf_check *c, const mdf_check_options *o, fingerprint *print,
                           mdf_error *err)
{
    const size_t n = c->m->case_count;
    for (size_t i = 0; i < n; i++) {
        mdf_error why = {0};
        const mdf_status status = take_fingerprint(c->m->cases[i].path, &print[i], &why);
        if (status == MDF_ERR_NOMEM) {
            return mdf_fail(err, status, "%s", why.text);
        }
        if (status != MDF_OK) {
            MDF_TRY(mdf_check_list_add(&c->unreadable, i, c->m->cases[i].path, why.text, err));
        }
        MDF_TRY(mdf_check_masks(c, i, print[i].width, print[i].height, err));
        c->checked_images++;
        if (o->progress != NULL && !o->progress(o->user, i + 1, n)) {
            return mdf_fail(err, MDF_ERR_STOPPED, "the data check was stopped");
        }
    }
    return MDF_OK;
}

/* Pearson's, over all pixels and channels; 0 for a flat picture. */
static double thumb_correlation(const uint8_t *a, const uint8_t *b)
{
    double sum_a = 0;
    double sum_b = 0;
    for (size_t i = 0; i < THUMB_BYTES; i++) {
        sum_a += a[i];
        sum_b += b[i];
    }
    double aa = 0;
    double bb = 0;
    double ab = 0;
    for (size_t i = 0; i < THUMB_BYTES; i++) {
        const double x = a[i] - sum_a / THUMB_BYTES;
        const double y = b[i] - sum_b / THUMB_BYTES;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

static mdf_status add_pair(mdf_check *c, size_t i, size_t k, int bits, double correlation,
                           mdf_error *err)
{
    mdf_check_pair *grown = room_for_one(c->pairs, c->pair_count, sizeof *c->pairs);
    if (grown == NULL) {
        return no_memory(err);
    }
    c->pairs = grown;
    c->pairs[c->pair_count++] = (mdf_check_pair){i, k, bits, correlation};
    const mdf_manifest_case *a = &c->m->cases[i];
    const mdf_manifest_case *b = &c->m->cases[k];
    c->pairs_across_splits += strcmp(a->split, b->split) != 0 ? 1 : 0;
    c->pairs_across_labels += a->label != b->label ? 1 : 0;
    return MDF_OK;
}

static mdf_status compare(mdf_check *c, const fingerprint *print, size_t i, size_t k,
                          mdf_error *err)
{
    if (!print[i].is_read || !print[k].is_read) {
        return MDF_OK;
    }
    const int bits = mdf_phash_distance(print[i].hash, print[k].hash);
    if (bits > MDF_CHECK_SAME_BITS) {
        return MDF_OK;
    }
    const double correlation = thumb_correlation(print[i].thumb, print[k].thumb);
    return correlation < MDF_CHECK_SAME_CORRELATION ? MDF_OK
                                                    : add_pair(c, i, k, bits, correlation, err);
}

static mdf_status find_pairs(mdf_check *c, const mdf_check_options *o, mdf_error *err)
{
    const size_t n = c->m->case_count;
    fingerprint *print = mdf_alloc(n, sizeof *print);
    mdf_status status = print == NULL ? no_memory(err) : read_all(c, o, print, err);
    for (size_t i = 0; status == MDF_OK && i < n; i++) {
        for (size_t k = i + 1; status == MDF_OK && k < n; k++) {
            status = compare(c, print, i, k, err);
        }
    }
    mdf_free(print);
    return status;
}

mdf_status mdf_check_run(mdf_check *out, const mdf_manifest *m, const mdf_check_options *o,
                         mdf_error *err)
{
    *out = (mdf_check){.m = m};
    out->leak = mdf_alloc((size_t)m->label_count, sizeof *out->leak);
    mdf_status status = out->leak == NULL ? no_memory(err) : count_cases(out, err);
    if (status == MDF_OK) {
        find_leaks(out);
        status = find_torn(out, err);
    }
    if (status == MDF_OK && !o->skip_images) {
        status = find_pairs(out, o, err);
    }
    if (status != MDF_OK) {
        mdf_check_free(out);
    }
    return status;
}

void mdf_check_free(mdf_check *c)
{
    mdf_check_list_free(&c->unreadable);
    mdf_check_list_free(&c->unusable_masks);
    mdf_check_list_free(&c->unclear_masks);
    mdf_free(c->splits);
    mdf_free(c->count);
    mdf_free(c->pairs);
    mdf_free(c->torn);
    mdf_free(c->leak);
    *c = (mdf_check){0};
}

bool mdf_check_has_faults(const mdf_check *c)
{
    return c->unreadable.count != 0 || c->unusable_masks.count != 0 || c->torn_count != 0 ||
           c->pairs_across_splits != 0;
}
