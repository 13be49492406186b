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

static json_t *unreadable_json(const mdf_check *c)
{
    json_t *all = json_array();
    for (size_t i = 0; i < c->unreadable_count; i++) {
        const mdf_check_unreadable *u = &c->unreadable[i];
        (void)json_array_append_new(
            all, json_pack("{s:s,s:s}", "path", c->m->cases[u->number].path, "reason", u->reason));
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
    return json_pack("{s:I,s:i,s:I,s:I,s:b,s:o,s:o,s:o,s:I,s:I,s:o,s:o}", "n", n, "patients",
                     c->m->patient_count, "without_patient_id", (json_int_t)c->m->without_patient,
                     "checked_images", (json_int_t)c->checked_images, "faults",
                     mdf_check_has_faults(c) ? 1 : 0, "counts", counts_json(c), "unreadable",
                     unreadable_json(c), "duplicates", pairs_json(c), "duplicates_across_splits",
                     (json_int_t)c->pairs_across_splits, "duplicates_across_labels",
                     (json_int_t)c->pairs_across_labels, "patients_on_two_sides", torn_json(c),
                     "label_in_text", leaks_json(c));
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

static void text_images(mdf_strbuf *b, const mdf_check *c)
{
    mdf_strbuf_printf(b, "\nunreadable pictures: %zu of %zu\n", c->unreadable_count,
                      c->checked_images);
    for (size_t i = 0; i < c->unreadable_count && i < SHOWN; i++) {
        mdf_strbuf_printf(b, "  %s\n", c->unreadable[i].reason);
    }
    text_more(b, c->unreadable_count);
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
}
