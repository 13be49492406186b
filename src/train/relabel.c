/* A list of cases meets a model's labels. */
#include "train/relabel.h"

#include <string.h>

#include "base/status.h"

enum { SHOWN = 8 }; /* names in a sentence */

/* Number of a name in the model's table, -1 = not there. */
static int find(const mdf_relabel_options *opt, const char *name)
{
    for (size_t k = 0; k < opt->label_count; k++) {
        if (strcmp(name, opt->labels[k]) == 0) {
            return (int)k;
        }
    }
    return -1;
}

static bool is_asked(const mdf_relabel_options *opt, int label)
{
    return label >= 0 && (opt->asked == NULL || opt->asked[label]);
}

static bool has_kept_mask(const mdf_relabel_options *opt, const mdf_manifest_case *c)
{
    for (int k = 0; k < MDF_MASK_NAMES; k++) {
        if (opt->keep_mask[k] && mdf_case_has_mask(c, (mdf_mask_name)k)) {
            return true;
        }
    }
    return false;
}

/* Counts a case that gets no label. unknown [m's labels]. */
static void count(mdf_left_out *out, size_t *unknown, const mdf_manifest_case *c, int label,
                  bool stays)
{
    if (label >= 0) {
        out->not_asked++;
    } else if (c->label >= 0) {
        out->unknown++;
        unknown[c->label]++;
    } else if (stays) {
        out->masks_only++;
    } else {
        out->unlabelled++;
    }
}

size_t mdf_relabel(mdf_left_out *out, mdf_manifest *m, const mdf_relabel_options *opt)
{
    size_t unknown[MDF_MAX_CLASSES] = {0};
    size_t with[MDF_MAX_CLASSES] = {0};
    size_t kept = 0;
    size_t labelled = 0;
    *out = (mdf_left_out){0};
    for (size_t i = 0; i < m->case_count; i++) {
        mdf_manifest_case c = m->cases[i];
        const int label = c.label < 0 ? -1 : find(opt, m->labels[c.label]);
        const bool stays = has_kept_mask(opt, &c);
        if (is_asked(opt, label)) {
            with[label]++;
            labelled++;
            c.label = label;
            m->cases[kept++] = c;
            continue;
        }
        count(out, unknown, &c, label, stays);
        if (stays) {
            c.label = -1;
            m->cases[kept++] = c;
        }
    }
    m->case_count = kept;
    for (int i = 0; i < m->label_count; i++) {
        if (unknown[i] > 0) {
            out->name[out->name_count] = m->labels[i];
            out->name_cases[out->name_count++] = unknown[i];
        }
    }
    for (size_t k = 0; k < opt->label_count; k++) {
        if (is_asked(opt, (int)k) && with[k] == 0) {
            out->empty[out->empty_count++] = opt->labels[k];
        }
    }
    return labelled;
}

static bool has_case(const mdf_manifest *m, int label)
{
    for (size_t i = 0; i < m->case_count; i++) {
        if (m->cases[i].label == label) {
            return true;
        }
    }
    return false;
}

mdf_status mdf_labels_of_cases(mdf_answer_config *a, const mdf_manifest *m, const char *split,
                               mdf_error *err)
{
    int n = a->label_count;
    for (int k = 0; a->label_count == 0 && k < m->label_count; k++) {
        const size_t bytes = strlen(m->labels[k]);
        if (!has_case(m, k)) {
            continue;
        }
        if (bytes > MDF_MAX_LABEL_BYTES) {
            return mdf_fail(err, MDF_ERR_LIMIT, "label \"%.40s...\": longer than %d bytes",
                            m->labels[k], MDF_MAX_LABEL_BYTES);
        }
        memcpy(a->labels[n++], m->labels[k], bytes + 1);
    }
    a->label_count = n;
    if (n < 2) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "split \"%s\": its cases have %d label%s, but a classifier needs two",
                        split, n, n == 1 ? "" : "s");
    }
    return MDF_OK;
}

size_t mdf_left_out_cases(const mdf_left_out *l)
{
    return l->unknown + l->unlabelled;
}

/* "3 cases have", "1 case has" */
static void add_cases(mdf_strbuf *out, size_t n)
{
    mdf_strbuf_printf(out, "%s%zu case%s", out->len > 0 ? "; " : "", n, n == 1 ? " has" : "s have");
}

static void add_names(mdf_strbuf *out, const char *const *name, const size_t *cases, int n)
{
    for (int i = 0; i < n && i < SHOWN; i++) {
        mdf_strbuf_printf(out, "%s%s", i > 0 ? ", " : "", name[i]);
        if (cases != NULL) {
            mdf_strbuf_printf(out, " %zu", cases[i]);
        }
    }
    if (n > SHOWN) {
        mdf_strbuf_printf(out, " and %d more", n - SHOWN);
    }
}

void mdf_left_out_text(mdf_strbuf *out, const mdf_left_out *l)
{
    if (l->unknown > 0) {
        add_cases(out, l->unknown);
        mdf_strbuf_puts(out, " a label that the model does not know (");
        add_names(out, l->name, l->name_cases, l->name_count);
        mdf_strbuf_puts(out, ")");
    }
    if (l->unlabelled > 0) {
        add_cases(out, l->unlabelled);
        mdf_strbuf_puts(out, " no label");
    }
    if (l->masks_only > 0) {
        add_cases(out, l->masks_only);
        mdf_strbuf_puts(out, " no label, but a mask");
    }
    if (l->not_asked > 0) {
        add_cases(out, l->not_asked);
        mdf_strbuf_puts(out, " a label that is not asked for");
    }
    if (l->empty_count > 0) {
        mdf_strbuf_printf(out, "%sno case has the label%s ", out->len > 0 ? "; " : "",
                          l->empty_count == 1 ? "" : "s");
        add_names(out, l->empty, NULL, l->empty_count);
    }
}

json_t *mdf_left_out_json(const mdf_left_out *l)
{
    json_t *unknown = json_object();
    json_t *empty = json_array();
    bool ok = unknown != NULL && empty != NULL;
    for (int i = 0; ok && i < l->name_count; i++) {
        const json_int_t n = (json_int_t)l->name_cases[i];
        ok = json_object_set_new(unknown, l->name[i], json_integer(n)) == 0;
    }
    for (int i = 0; ok && i < l->empty_count; i++) {
        ok = json_array_append_new(empty, json_string(l->empty[i])) == 0;
    }
    json_t *out = json_pack("{s:o, s:I, s:I, s:I, s:o}", "unknown_labels", unknown, "unlabelled",
                            (json_int_t)l->unlabelled, "not_asked", (json_int_t)l->not_asked,
                            "masks_only", (json_int_t)l->masks_only, "labels_without_cases", empty);
    if (!ok) {
        json_decref(out);
        return NULL;
    }
    return out;
}
