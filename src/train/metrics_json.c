/* Metrics as JSON and as a table for people. */
#include <math.h>

#include "base/strbuf.h"
#include "train/metrics.h"

/* NAN has no JSON form; null says that the sample can't give the number. */
static json_t *number(double v)
{
    return isnan(v) ? json_null() : json_real(v);
}

static json_t *interval(mdf_interval v)
{
    return isnan(v.low) || isnan(v.high) ? json_null() : json_pack("[f,f]", v.low, v.high);
}

static json_t *integer(size_t v)
{
    return json_integer((json_int_t)v);
}

static json_t *class_json(const mdf_class_metrics *c)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "n", integer(c->n), "answered",
                     integer(c->answered), "sensitivity", number(c->sensitivity), "sensitivity_ci",
                     interval(c->sensitivity_ci), "specificity", number(c->specificity),
                     "specificity_ci", interval(c->specificity_ci), "precision",
                     number(c->precision), "f1", number(c->f1), "auc", number(c->auc));
}

static json_t *confusion_json(const mdf_metrics *m)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < m->classes; i++) {
        json_t *row = json_array();
        for (size_t j = 0; j < m->classes; j++) {
            (void)json_array_append_new(row, integer(m->confusion[i * m->classes + j]));
        }
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *labels_json(const mdf_metrics *m, const mdf_metrics_naming *naming)
{
    json_t *labels = json_array();
    for (size_t k = 0; k < m->classes; k++) {
        (void)json_array_append_new(labels, json_string(naming->labels[k]));
    }
    return labels;
}

static json_t *row_json(const float *p, const mdf_metrics_naming *naming, size_t classes)
{
    json_t *row = json_object();
    for (size_t k = 0; k < classes; k++) {
        (void)json_object_set_new(row, naming->labels[k], json_real((double)p[k]));
    }
    return row;
}

static json_t *cases_json(const mdf_metrics_naming *naming)
{
    const mdf_metrics_input *in = naming->cases;
    json_t *rows = json_array();
    for (size_t i = 0; i < in->n; i++) {
        const float *p = in->prob + i * in->classes;
        json_t *row = json_object();
        if (naming->file_names != NULL) {
            (void)json_object_set_new(row, "file_name", json_string(naming->file_names[i]));
        }
        if (naming->patient_ids != NULL) {
            (void)json_object_set_new(row, "patient_id", json_string(naming->patient_ids[i]));
        }
        (void)json_object_set_new(row, "label", json_string(naming->labels[in->label[i]]));
        (void)json_object_set_new(row, "answer",
                                  json_string(naming->labels[mdf_argmax(p, in->classes)]));
        (void)json_object_set_new(row, "prob", row_json(p, naming, in->classes));
        if (in->calibrated != NULL) {
            (void)json_object_set_new(
                row, "prob_calibrated",
                row_json(in->calibrated + i * in->classes, naming, in->classes));
        }
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

json_t *mdf_metrics_json(const mdf_metrics *m, const mdf_metrics_naming *naming)
{
    json_t *classes = json_object();
    for (size_t k = 0; k < m->classes; k++) {
        (void)json_object_set_new(classes, naming->labels[k], class_json(&m->per_class[k]));
    }
    const struct {
        const char *key;
        json_t *value;
    } entries[] = {{"n", integer(m->n)},
                   {"patients", integer(m->patients)},
                   {"labels", labels_json(m, naming)},
                   {"accuracy", number(m->accuracy)},
                   {"accuracy_ci", interval(m->accuracy_ci)},
                   {"balanced_accuracy", number(m->balanced_accuracy)},
                   {"balanced_accuracy_ci", interval(m->balanced_accuracy_ci)},
                   {"macro_f1", number(m->macro_f1)},
                   {"macro_f1_ci", interval(m->macro_f1_ci)},
                   {"macro_auc", number(m->macro_auc)},
                   {"macro_auc_ci", interval(m->macro_auc_ci)},
                   {"per_class", classes},
                   {"confusion", confusion_json(m)},
                   {"brier", number(m->brier)},
                   {"ece", number(m->ece)},
                   {"ece_calibrated", number(m->ece_calibrated)}};
    json_t *out = json_object();
    bool ok = true;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        ok = json_object_set_new(out, entries[i].key, entries[i].value) == 0 && ok;
    }
    if (!isnan(m->brier_calibrated)) {
        ok = json_object_set_new(out, "brier_calibrated", number(m->brier_calibrated)) == 0 && ok;
    }
    if (naming->temperature > 0) {
        ok = json_object_set_new(out, "temperature", json_real(naming->temperature)) == 0 && ok;
    }
    if (naming->masks != NULL && mdf_mask_scores_any(naming->masks)) {
        ok = json_object_set_new(out, "masks", mdf_mask_scores_json(naming->masks)) == 0 && ok;
    }
    if (naming->left_out != NULL) {
        ok = json_object_set_new(out, "left_out", mdf_left_out_json(naming->left_out)) == 0 && ok;
    }
    if (naming->cases != NULL) {
        ok = json_object_set_new(out, "cases", cases_json(naming)) == 0 && ok;
    }
    if (!ok) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static void text_line(mdf_strbuf *b, const char *name, double value, mdf_interval ci)
{
    if (isnan(value)) {
        mdf_strbuf_printf(b, "%-20s      -\n", name);
    } else if (isnan(ci.low)) {
        mdf_strbuf_printf(b, "%-20s  %.3f\n", name, value);
    } else {
        mdf_strbuf_printf(b, "%-20s  %.3f  [%.3f, %.3f]\n", name, value, ci.low, ci.high);
    }
}

static void text_cell(mdf_strbuf *b, double value)
{
    if (isnan(value)) {
        mdf_strbuf_puts(b, "       -");
    } else {
        mdf_strbuf_printf(b, "  %6.3f", value);
    }
}

static void text_classes(mdf_strbuf *b, const mdf_metrics *m, const mdf_metrics_naming *naming)
{
    mdf_strbuf_printf(b, "\n%-28s %6s %7s %7s %7s %7s\n", "class", "n", "sens", "spec", "F1",
                      "AUC");
    for (size_t k = 0; k < m->classes; k++) {
        const mdf_class_metrics *c = &m->per_class[k];
        mdf_strbuf_printf(b, "%-28s %6zu", naming->labels[k], c->n);
        text_cell(b, c->sensitivity);
        text_cell(b, c->specificity);
        text_cell(b, c->f1);
        text_cell(b, c->auc);
        mdf_strbuf_puts(b, "\n");
    }
    mdf_strbuf_puts(b, "\nconfusion (rows: truth, columns: answer, in the order above)\n");
    for (size_t i = 0; i < m->classes; i++) {
        mdf_strbuf_printf(b, "%-28s", naming->labels[i]);
        for (size_t j = 0; j < m->classes; j++) {
            mdf_strbuf_printf(b, " %6zu", m->confusion[i * m->classes + j]);
        }
        mdf_strbuf_puts(b, "\n");
    }
}

static void text_left_out(mdf_strbuf *b, const mdf_left_out *left)
{
    mdf_strbuf words = mdf_strbuf_new(1 << 16);
    if (left != NULL) {
        mdf_left_out_text(&words, left);
    }
    if (words.len > 0) {
        mdf_strbuf_printf(b, "%-20s  %s\n", "left out", words.data);
    }
    b->failed = b->failed || words.failed;
    mdf_strbuf_free(&words);
}

void mdf_metrics_text(mdf_strbuf *out, const mdf_metrics *m, const mdf_metrics_naming *naming)
{
    const mdf_interval none = {(double)NAN, (double)NAN};
    mdf_strbuf_printf(out, "%-20s  %zu cases of %zu patients\n", "n", m->n, m->patients);
    text_left_out(out, naming->left_out);
    text_line(out, "accuracy", m->accuracy, m->accuracy_ci);
    text_line(out, "balanced accuracy", m->balanced_accuracy, m->balanced_accuracy_ci);
    text_line(out, "macro F1", m->macro_f1, m->macro_f1_ci);
    text_line(out, "macro AUC", m->macro_auc, m->macro_auc_ci);
    text_line(out, "Brier", m->brier, none);
    text_line(out, "ECE", m->ece, none);
    text_line(out, "ECE calibrated", m->ece_calibrated, none);
    if (naming->temperature > 0) {
        text_line(out, "temperature", naming->temperature, none);
    }
    if (naming->masks != NULL) {
        mdf_mask_scores_text(out, naming->masks);
    }
    text_classes(out, m, naming);
    mdf_strbuf_printf(out,
                      "\nIntervals are 95 %%: Wilson for accuracy, percentile bootstrap over "
                      "patients (%zu resamples) for the others.\n",
                      m->resamples);
}
