/* The report of a run as one HTML file. */
#include "report/html.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "report/html_write.h"

static void write_head(FILE *out, const mdf_report *r)
{
    (void)fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"generator\" content=\"mdf " MDF_VERSION "\">\n<title>",
                out);
    mdf_html_text(out, r->title);
    (void)fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n<header>\n<h1>",
                  mdf_html_style);
    mdf_html_text(out, r->title);
    (void)fputs("</h1>\n", out);
    if (r->summary != NULL) {
        (void)fputs("<p>", out);
        mdf_html_text(out, r->summary);
        (void)fputs("</p>\n", out);
    }
    (void)fputs("<p class=\"note\" role=\"note\"><strong>Not a medical device.</strong> These "
                "results are for research and must not guide the care of a patient.</p>\n"
                "</header>\n<main>\n",
                out);
}

static void write_facts(FILE *out, const mdf_report *r)
{
    if (r->fact_count == 0) {
        return;
    }
    (void)fputs("<section>\n<h2>The run</h2>\n<table class=\"facts\">\n<tbody>\n", out);
    for (size_t i = 0; i < r->fact_count; i++) {
        (void)fputs("<tr><th scope=\"row\">", out);
        mdf_html_text(out, r->facts[i].name);
        (void)fputs("</th><td>", out);
        mdf_html_text(out, r->facts[i].value);
        (void)fputs("</td></tr>\n", out);
    }
    (void)fputs("</tbody>\n</table>\n</section>\n", out);
}

static mdf_status write_chart(FILE *out, const mdf_report_chart *chart, mdf_error *err)
{
    mdf_png_bytes png;
    MDF_TRY(mdf_plot_lines(&png, chart->series, chart->count, &chart->options, err));
    mdf_html_png(out, &png, chart->alt != NULL ? chart->alt : chart->options.title, 520);
    mdf_png_bytes_free(&png);
    return MDF_OK;
}

static mdf_status write_charts(FILE *out, const mdf_report *r, mdf_error *err)
{
    if (r->chart_count == 0) {
        return MDF_OK;
    }
    (void)fputs("<section>\n<h2>Training</h2>\n<div class=\"charts\">\n", out);
    for (size_t i = 0; i < r->chart_count; i++) {
        MDF_TRY(write_chart(out, &r->charts[i], err));
    }
    (void)fputs("</div>\n</section>\n", out);
    return MDF_OK;
}

static void write_metric(FILE *out, const char *name, double value, mdf_interval ci)
{
    (void)fprintf(out, "<tr><th scope=\"row\">%s</th><td>", name);
    mdf_html_number(out, value);
    (void)fputs("</td><td>", out);
    if (!isnan(ci.low) && !isnan(ci.high)) {
        (void)fprintf(out, "%.3f to %.3f", ci.low, ci.high);
    }
    (void)fputs("</td></tr>\n", out);
}

/* masks NULL: none. */
static void write_places(FILE *out, const mdf_mask_scores *masks)
{
    if (masks != NULL && masks->disc.n > 0) {
        write_metric(out, "disc centre within half a diameter",
                     (double)masks->disc.within / (double)masks->disc.n,
                     mdf_wilson(masks->disc.within, masks->disc.n));
    }
    if (masks != NULL && masks->lesion.n > 0) {
        const double n = (double)masks->lesion.n;
        write_metric(out, "lesion pointed at", (double)masks->lesion.hits / n,
                     mdf_wilson(masks->lesion.hits, masks->lesion.n));
        write_metric(out, "lesion AUPRC", masks->lesion.precision / n,
                     (mdf_interval){(double)NAN, (double)NAN});
    }
}

static mdf_status write_left_out(FILE *out, const mdf_left_out *left, mdf_error *err)
{
    mdf_strbuf words = mdf_strbuf_new(1 << 16);
    mdf_left_out_text(&words, left);
    if (words.len > 0) {
        (void)fputs("<p class=\"note\" role=\"note\"><strong>Left out of the numbers:</strong> ",
                    out);
        mdf_html_text(out, words.data);
        (void)fputs(".</p>\n", out);
    }
    const bool failed = words.failed;
    mdf_strbuf_free(&words);
    return failed ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the report") : MDF_OK;
}

static void write_metrics(FILE *out, const mdf_report *r)
{
    const mdf_metrics *m = r->metrics;
    const mdf_interval none = {(double)NAN, (double)NAN};
    (void)fprintf(out,
                  "<section>\n<h2>Results</h2>\n<table>\n<caption>%zu cases of %zu patients. "
                  "Intervals: 95&nbsp;%%, Wilson for accuracy, else bootstrap over patients "
                  "(%zu resamples).</caption>\n<thead><tr><th scope=\"col\">measure</th>"
                  "<th scope=\"col\">value</th><th scope=\"col\">interval</th></tr></thead>\n"
                  "<tbody>\n",
                  m->n, m->patients, m->resamples);
    write_metric(out, "accuracy", m->accuracy, m->accuracy_ci);
    write_metric(out, "balanced accuracy", m->balanced_accuracy, m->balanced_accuracy_ci);
    write_metric(out, "macro F1", m->macro_f1, m->macro_f1_ci);
    write_metric(out, "macro AUC", m->macro_auc, m->macro_auc_ci);
    write_metric(out, "Brier score", m->brier, none);
    write_metric(out, "calibration error (ECE)", m->ece, none);
    write_metric(out, "ECE after temperature scaling", m->ece_calibrated, none);
    if (r->naming != NULL && r->naming->temperature > 0) {
        write_metric(out, "temperature", r->naming->temperature, none);
    }
    for (int k = 0; r->naming != NULL && r->naming->masks != NULL && k < MDF_MASK_NAMES; k++) {
        const mdf_mask_score *mask = &r->naming->masks->of[k];
        if (mask->n > 0) {
            char name[40];
            (void)snprintf(name, sizeof name, "%s Dice", mdf_mask_names[k]);
            write_metric(out, name, mdf_mask_score_dice(mask), none);
        }
    }
    write_places(out, r->naming == NULL ? NULL : r->naming->masks);
    (void)fputs("</tbody>\n</table>\n", out);
}

static void write_classes(FILE *out, const mdf_report *r)
{
    static const char *const heads[] = {"class",       "cases",     "sensitivity", "95 %",
                                        "specificity", "precision", "F1",          "AUC"};
    (void)fputs("<div class=\"scroll\"><table>\n<caption>Class by class</caption>\n<thead><tr>",
                out);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        (void)fprintf(out, "<th scope=\"col\">%s</th>", heads[i]);
    }
    (void)fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t k = 0; k < r->metrics->classes; k++) {
        const mdf_class_metrics *c = &r->metrics->per_class[k];
        (void)fputs("<tr><th scope=\"row\">", out);
        mdf_html_text(out, r->labels[k]);
        (void)fprintf(out, "</th><td>%zu</td><td>", c->n);
        mdf_html_number(out, c->sensitivity);
        (void)fputs("</td><td>", out);
        if (!isnan(c->sensitivity_ci.low)) {
            (void)fprintf(out, "%.2f to %.2f", c->sensitivity_ci.low, c->sensitivity_ci.high);
        }
        const double rest[] = {c->specificity, c->precision, c->f1, c->auc};
        for (size_t i = 0; i < 4; i++) {
            (void)fputs("</td><td>", out);
            mdf_html_number(out, rest[i]);
        }
        (void)fputs("</td></tr>\n", out);
    }
    (void)fputs("</tbody>\n</table></div>\n", out);
}

/* White to blue by the share of the row; white letters on the dark half. */
static void write_heat_cell(FILE *out, size_t count, size_t row_total)
{
    const double share = row_total == 0 ? 0 : (double)count / (double)row_total;
    const int red = (int)(247 - share * 239);
    const int green = (int)(251 - share * 170);
    const int blue = (int)(255 - share * 99);
    (void)fprintf(out, "<td style=\"background:rgb(%d,%d,%d);color:%s\">%zu</td>", red, green, blue,
                  share > 0.5 ? "#fff" : "#111", count);
}

static void write_confusion(FILE *out, const mdf_report *r)
{
    const mdf_metrics *m = r->metrics;
    (void)fputs("<h2>Confusion matrix</h2>\n<div class=\"scroll\"><table class=\"heat\">\n"
                "<caption>Rows: truth. Columns: answer of the model. Colour: share of the row."
                "</caption>\n<thead><tr><th scope=\"col\">truth</th>",
                out);
    for (size_t k = 0; k < m->classes; k++) {
        (void)fputs("<th scope=\"col\">", out);
        mdf_html_text(out, r->labels[k]);
        (void)fputs("</th>", out);
    }
    (void)fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t i = 0; i < m->classes; i++) {
        (void)fputs("<tr><th scope=\"row\">", out);
        mdf_html_text(out, r->labels[i]);
        (void)fputs("</th>", out);
        for (size_t j = 0; j < m->classes; j++) {
            write_heat_cell(out, m->confusion[i * m->classes + j], m->per_class[i].n);
        }
        (void)fputs("</tr>\n", out);
    }
    (void)fputs("</tbody>\n</table></div>\n", out);
}

static mdf_status write_curves(FILE *out, const mdf_report *r, mdf_error *err)
{
    if (r->input == NULL) {
        return MDF_OK;
    }
    mdf_png_bytes png;
    (void)fputs("<h2>ROC and reliability</h2>\n<div class=\"charts\">\n", out);
    MDF_TRY(mdf_plot_roc(&png, r->input, r->labels, err));
    mdf_html_png(out, &png, "ROC curve of every class; the areas stand in the table above", 520);
    mdf_png_bytes_free(&png);
    MDF_TRY(mdf_plot_reliability(&png, r->input, err));
    mdf_html_png(out, &png, "Accuracy against confidence in 15 bins; the errors stand above", 520);
    mdf_png_bytes_free(&png);
    for (size_t i = 0; i < r->curve_count; i++) {
        MDF_TRY(write_chart(out, &r->curves[i], err));
    }
    (void)fputs("</div>\n", out);
    return MDF_OK;
}

static void write_probs(FILE *out, const mdf_report *r, const mdf_report_case *c)
{
    (void)fputs("<table class=\"probs\"><tbody>\n", out);
    for (size_t k = 0; k < r->classes; k++) {
        const double p = (double)c->prob[k];
        (void)fputs("<tr><th scope=\"row\">", out);
        mdf_html_text(out, r->labels[k]);
        (void)fprintf(out,
                      "</th><td>%.1f&nbsp;%%</td><td><span class=\"bar\" style=\"width:%.0fpx\">"
                      "</span></td></tr>\n",
                      100 * p, 150 * p);
    }
    (void)fputs("</tbody></table>\n", out);
}

static void write_case(FILE *out, const mdf_report *r, const mdf_report_case *c)
{
    const int best = mdf_argmax(c->prob, r->classes);
    char alt[160];
    (void)snprintf(alt, sizeof alt, "Photograph, and where the model looked for %.80s",
                   r->labels[best]);
    (void)fputs("<figure>\n", out);
    if (c->image.data != NULL) {
        mdf_html_png(out, &c->image, alt, 560);
    }
    (void)fputs("<figcaption>\n<p><strong>", out);
    mdf_html_text(out, c->name);
    (void)fprintf(out, "</strong>: answer <span class=\"%s\">",
                  c->label < 0       ? ""
                  : best == c->label ? "right"
                                     : "wrong");
    mdf_html_text(out, r->labels[best]);
    (void)fputs("</span>", out);
    if (c->label >= 0) {
        (void)fputs(best == c->label ? " (right)" : " (wrong), truth ", out);
        mdf_html_text(out, best == c->label ? "" : r->labels[c->label]);
    }
    (void)fputs("</p>\n", out);
    if (c->text != NULL && c->text[0] != '\0') {
        (void)fputs("<p>&ldquo;", out);
        mdf_html_text(out, c->text);
        (void)fputs("&rdquo;</p>\n", out);
    }
    write_probs(out, r, c);
    (void)fputs("</figcaption>\n</figure>\n", out);
}

static void write_table(FILE *out, const mdf_report_table *t)
{
    if (t == NULL) {
        return;
    }
    (void)fputs("<section>\n<h2>", out);
    mdf_html_text(out, t->title);
    (void)fputs("</h2>\n<p>", out);
    mdf_html_text(out, t->note);
    (void)fputs("</p>\n<div class=\"scroll\">\n<table>\n<thead><tr><td></td>", out);
    for (size_t k = 0; k < t->columns; k++) {
        (void)fputs("<th scope=\"col\">", out);
        mdf_html_text(out, t->head[k]);
        (void)fputs("</th>", out);
    }
    (void)fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t i = 0; i < t->rows; i++) {
        (void)fputs("<tr><th scope=\"row\">", out);
        mdf_html_text(out, t->name[i]);
        (void)fputs("</th>", out);
        for (size_t k = 0; k < t->columns; k++) {
            (void)fputs("<td>", out);
            mdf_html_number(out, t->value[i * t->columns + k]);
            (void)fputs("</td>", out);
        }
        (void)fputs("</tr>\n", out);
    }
    (void)fputs("</tbody>\n</table>\n</div>\n</section>\n", out);
}

static void write_gallery(FILE *out, const mdf_report *r)
{
    if (r->case_count == 0) {
        return;
    }
    (void)fputs("<section>\n<h2>Cases</h2>\n<p>Left the photograph, right where the model looked: "
                "dark violet is little, yellow is most.</p>\n<div class=\"gallery\">\n",
                out);
    for (size_t i = 0; i < r->case_count; i++) {
        write_case(out, r, &r->cases[i]);
    }
    (void)fputs("</div>\n</section>\n", out);
}

static mdf_status write_all(FILE *out, const mdf_report *r, mdf_error *err)
{
    write_head(out, r);
    write_facts(out, r);
    if (r->metrics != NULL) {
        write_metrics(out, r);
        if (r->naming != NULL && r->naming->left_out != NULL) {
            MDF_TRY(write_left_out(out, r->naming->left_out, err));
        }
        write_classes(out, r);
        write_confusion(out, r);
        MDF_TRY(write_curves(out, r, err));
        (void)fputs("</section>\n", out);
    }
    MDF_TRY(write_charts(out, r, err));
    write_table(out, r->table);
    write_gallery(out, r);
    (void)fprintf(out,
                  "</main>\n<footer>mdf %s. Not a medical device.</footer>\n</body>\n</html>\n",
                  MDF_VERSION);
    return MDF_OK;
}

mdf_status mdf_report_write(const char *path, const mdf_report *r, mdf_error *err)
{
    mdf_file_writer w;
    MDF_TRY(mdf_file_writer_open(&w, path, err));
    const mdf_status status = write_all(w.stream, r, err);
    if (status != MDF_OK) {
        mdf_file_writer_abort(&w);
        return status;
    }
    return mdf_file_writer_commit(&w, err);
}
