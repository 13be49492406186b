/* The data check as JSON and as text. */
#include <string.h>

#include "data/check.h"

enum { SHOWN = 10 }; /* examples of each fault in the text; the JSON has all */

static const char *split_name(const char *split)
{
    return split[0] == '\0' ? "(none)" : split;
}

static const char *label_name(const mdf_check *c, int label)
{
    return label < 0 || label >= c->m->label_count ? "(unlabelled)" : c->m->labels[label];
}

static size_t row_sum(const mdf_check *c, int label)
{
    size_t sum = 0;
    for (size_t s = 0; s < c->split_count; s++) {
        sum += c->count[(size_t)label * c->split_count + s];
    }
    return sum;
}

static json_t *counts_json(const mdf_check *c)
{
    json_t *all = json_object();
    for (int l = 0; l <= c->m->label_count; l++) {
        json_t *row = json_object();
        for (size_t s = 0; s < c->split_count; s++) {
            const size_t n = c->count[(size_t)l * c->split_count + s];
            (void)json_object_set_new(row, c->splits[s], json_integer((json_int_t)n));
        }
        if (l < c->m->label_count || row_sum(c, l) != 0) {
            (void)json_object_set(all, label_name(c, l), row);
        }
        json_decref(row);
    }
    return all;
}

static json_t *pairs_json(const mdf_check *c)
{
    json_t *all = json_array();
    for (size_t i = 0; i < c->pair_count; i++) {
        const mdf_check_pair *p = &c->pairs[i];
        (void)json_array_append_new(all, json_pack("{s:s,s:s,s:i,s:f}", "first",
                                                   c->m->cases[p->first].path, "second",
                                                   c->m->cases[p->second].path, "bits", p->bits,
                                                   "correlation", p->correlation));
    }
    return all;
}

static json_t *list_json(const mdf_check_list *l)
{
    json_t *all = json_array();
    for (size_t i = 0; i < l->count; i++) {
        (void)json_array_append_new(
            all, json_pack("{s:s,s:s}", "path", l->item[i].path, "reason", l->item[i].reason));
    }
    return all;
}

static void put_count(json_t *out, const char *name, const char *what, size_t count)
{
    char key[64];
    (void)snprintf(key, sizeof key, "%s%s", name, what);
    (void)json_object_set_new(out, key, json_integer((json_int_t)count));
}

static json_t *masks_json(const mdf_check *c)
{
    json_t *out = json_object();
    for (int k = 0; k < MDF_MASK_NAMES; k++) {
        put_count(out, mdf_mask_names[k], "", c->masks[k].count);
        put_count(out, mdf_mask_names[k], "_empty", c->masks[k].empty);
        put_count(out, mdf_mask_names[k], "_boxes", c->masks[k].boxes);
    }
    (void)json_object_set_new(out, "unusable", list_json(&c->unusable_masks));
    (void)json_object_set_new(out, "unclear", list_json(&c->unclear_masks));
    return out;
}

static json_t *notes_json(const mdf_check *c)
{
    json_t *all = json_array();
    for (size_t i = 0; i < c->m->note_count; i++) {
        (void)json_array_append_new(all, json_string(c->m->notes[i].text));
    }
    return all;
}

static json_t *torn_json(const mdf_check *c)
{
    json_t *all = json_array();
    for (size_t i = 0; i < c->torn_count; i++) {
        (void)json_array_append_new(all, json_string(c->m->cases[c->torn[i]].patient_id));
    }
    return all;
}

static json_t *leaks_json(const mdf_check *c)
{
    json_t *all = json_object();
    for (int l = 0; l < c->m->label_count; l++) {
        (void)json_object_set_new(all, c->m->labels[l],
                                  json_pack("{s:I,s:I}", "own", (json_int_t)c->leak[l].own,
                                            "fellow_eye", (json_int_t)c->leak[l].fellow));
    }
    return all;
}

json_t *mdf_check_json(const mdf_check *c)
{
    const json_int_t n = (json_int_t)c->m->case_count;
    return json_pack(
        "{s:I,s:i,s:I,s:I,s:b,s:o,s:o,s:o,s:I,s:I,s:o,s:o,s:o,s:o}", "n", n, "patients",
        c->m->patient_count, "without_patient_id", (json_int_t)c->m->without_patient,
        "checked_images", (json_int_t)c->checked_images, "faults", mdf_check_has_faults(c) ? 1 : 0,
        "counts", counts_json(c), "unreadable", list_json(&c->unreadable), "duplicates",
        pairs_json(c), "duplicates_across_splits", (json_int_t)c->pairs_across_splits,
        "duplicates_across_labels", (json_int_t)c->pairs_across_labels, "patients_on_two_sides",
        torn_json(c), "label_in_text", leaks_json(c), "masks", masks_json(c), "notes",
        notes_json(c));
}

static void text_counts(mdf_strbuf *b, const mdf_check *c)
{
    mdf_strbuf_printf(b, "%zu cases of %d patients", c->m->case_count, c->m->patient_count);
    if (c->m->without_patient != 0) {
        mdf_strbuf_printf(b, " (%zu without patient_id count as one patient each)",
                          c->m->without_patient);
    }
    mdf_strbuf_printf(b, "\n\n%-28s", "class");
    for (size_t s = 0; s < c->split_count; s++) {
        mdf_strbuf_printf(b, " %10s", split_name(c->splits[s]));
    }
    mdf_strbuf_printf(b, " %10s\n", "all");
    for (int l = 0; l <= c->m->label_count; l++) {
        if (l == c->m->label_count && row_sum(c, l) == 0) {
            break;
        }
        mdf_strbuf_printf(b, "%-28s", label_name(c, l));
        for (size_t s = 0; s < c->split_count; s++) {
            mdf_strbuf_printf(b, " %10zu", c->count[(size_t)l * c->split_count + s]);
        }
        mdf_strbuf_printf(b, " %10zu\n", row_sum(c, l));
    }
}

static void text_more(mdf_strbuf *b, size_t count)
{
    if (count > SHOWN) {
        mdf_strbuf_printf(b, "  ... and %zu more (--json has all)\n", count - SHOWN);
    }
}

static void text_list(mdf_strbuf *b, const mdf_check_list *l)
{
    for (size_t i = 0; i < l->count && i < SHOWN; i++) {
        mdf_strbuf_printf(b, "  %s\n", l->item[i].reason);
    }
    text_more(b, l->count);
}

static void text_masks(mdf_strbuf *b, const mdf_check *c)
{
    size_t kinds = 0;
    for (int k = 0; k < MDF_MASK_NAMES; k++) {
        const mdf_check_mask_count *n = &c->masks[k];
        if (n->count + n->boxes == 0) {
            continue;
        }
        mdf_strbuf_printf(b, "%s%s", kinds++ == 0 ? "masks: " : ", ", mdf_mask_names[k]);
        if (n->count > 0) {
            mdf_strbuf_printf(b, " %zu (%zu empty)", n->count, n->empty);
        }
        if (n->boxes > 0) {
            mdf_strbuf_printf(b, " %zu %s", n->boxes, n->boxes == 1 ? "box" : "boxes");
        }
    }
    if (kinds == 0 && c->unusable_masks.count == 0) {
        return;
    }
    mdf_strbuf_puts(b, kinds > 0 ? "\n" : "");
    mdf_strbuf_printf(b, "unusable masks: %zu\n", c->unusable_masks.count);
    text_list(b, &c->unusable_masks);
    if (c->unclear_masks.count != 0) {
        mdf_strbuf_printf(b, "masks whose values leave open what is meant: %zu\n",
                          c->unclear_masks.count);
        text_list(b, &c->unclear_masks);
    }
}

/* What was passed over or read otherwise than it stands there. */
static void text_notes(mdf_strbuf *b, const mdf_check *c)
{
    for (size_t i = 0; i < c->m->note_count; i++) {
        mdf_strbuf_printf(b, "%s%s\n", i == 0 ? "notes\n  " : "  ", c->m->notes[i].text);
    }
}

static void text_images(mdf_strbuf *b, const mdf_check *c)
{
    mdf_strbuf_printf(b, "\nunreadable pictures: %zu of %zu\n", c->unreadable.count,
                      c->checked_images);
    text_list(b, &c->unreadable);
    text_masks(b, c);
    mdf_strbuf_printf(b, "duplicates: %zu pairs; %zu across splits, %zu with different labels\n",
                      c->pair_count, c->pairs_across_splits, c->pairs_across_labels);
    for (size_t i = 0; i < c->pair_count && i < SHOWN; i++) {
        const mdf_manifest_case *x = &c->m->cases[c->pairs[i].first];
        const mdf_manifest_case *y = &c->m->cases[c->pairs[i].second];
        mdf_strbuf_printf(b, "  %s (%s, %s) = %s (%s, %s)\n", x->path, split_name(x->split),
                          label_name(c, x->label), y->path, split_name(y->split),
                          label_name(c, y->label));
    }
    text_more(b, c->pair_count);
}

void mdf_check_text(mdf_strbuf *out, const mdf_check *c)
{
    text_counts(out, c);
    if (c->checked_images != 0) {
        text_images(out, c);
    }
    mdf_strbuf_printf(out, "patients on two sides: %zu\n", c->torn_count);
    for (size_t i = 0; i < c->torn_count && i < SHOWN; i++) {
        mdf_strbuf_printf(out, "  %s\n", c->m->cases[c->torn[i]].patient_id);
    }
    text_more(out, c->torn_count);
    size_t leaks = 0;
    for (int l = 0; l < c->m->label_count; l++) {
        const mdf_check_leak *k = &c->leak[l];
        if (k->own != 0 || k->fellow != 0) {
            mdf_strbuf_printf(out, "%s%s: the label stands in its own text %zu times",
                              leaks == 0 ? "labels in the text\n  " : "  ", c->m->labels[l],
                              k->own);
            mdf_strbuf_printf(out, ", and %zu times about the fellow eye only", k->fellow);
            if (k->own != 0) {
                mdf_strbuf_printf(out, "; first: %s", c->m->cases[k->first].path);
            }
            mdf_strbuf_puts(out, "\n");
            leaks++;
        }
    }
    if (leaks == 0) {
        mdf_strbuf_puts(out, "labels in the text: none\n");
    }
    text_notes(out, c);
}
