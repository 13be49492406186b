/* A model's doubt as JSON and as lines for people. */
#include <math.h>

#include "train/doubt.h"

static json_t *interval(mdf_interval v)
{
    return isnan(v.low) || isnan(v.high) ? json_null() : json_pack("[f,f]", v.low, v.high);
}

static json_t *share(size_t part, size_t n)
{
    return n == 0 ? json_null() : json_real((double)part / (double)n);
}

static json_t *selective_json(const mdf_doubt *d)
{
    json_t *points = json_array();
    for (int k = 0; k < MDF_DOUBT_POINTS; k++) {
        const mdf_doubt_point p = mdf_doubt_at(d, k);
        (void)json_array_append_new(points, json_pack("{s:f,s:I,s:f,s:o}", "coverage", p.coverage,
                                                      "n", (json_int_t)p.n, "accuracy", p.accuracy,
                                                      "accuracy_ci", interval(p.ci)));
    }
    return json_pack("{s:o,s:f}", "accuracy_at", points, "risk_area", d->risk_area);
}

static json_t *count_json(const mdf_set_count *c)
{
    return json_pack("{s:I,s:o,s:o,s:o,s:o,s:o,s:o}", "n", (json_int_t)c->n, "covered",
                     share(c->covered, c->n), "covered_ci", interval(mdf_wilson(c->covered, c->n)),
                     "mean_size", share(c->labels, c->n), "empty", share(c->empty, c->n), "single",
                     share(c->single, c->n), "full", share(c->full, c->n));
}

static json_t *sets_json(const mdf_doubt *d, const char *const *labels)
{
    json_t *of_label = json_object();
    json_t *least = json_object();
    for (size_t k = 0; k < d->classes; k++) {
        (void)json_object_set_new(of_label, labels[k], count_json(&d->of_label[k]));
        (void)json_object_set_new(least, labels[k], json_real(d->sets->least[k]));
    }
    return json_pack("{s:f,s:s,s:o,s:o,s:o}", "coverage", d->sets->coverage, "holds_for",
                     d->sets->by_label ? "each label" : "all labels together", "least_probability",
                     least, "all", count_json(&d->all), "per_class", of_label);
}

static json_t *unlike_json(const mdf_doubt *d)
{
    json_t *folders = json_array();
    for (size_t i = 0; i < d->dir_count; i++) {
        const mdf_unlike_count *u = &d->unlike[i];
        (void)json_array_append_new(
            folders, json_pack("{s:s,s:I,s:I,s:o,s:o}", "data", u->dir, "n", (json_int_t)u->n,
                               "unlike", (json_int_t)u->unlike, "share", share(u->unlike, u->n),
                               "share_ci", interval(mdf_wilson(u->unlike, u->n))));
    }
    return json_pack("{s:f,s:f,s:o}", "distance_share", d->distance_share, "distance_limit",
                     d->distance_limit, "data", folders);
}

bool mdf_doubt_json(json_t *doc, const mdf_doubt *d, const char *const *labels)
{
    bool ok = json_object_set_new(doc, "selective", selective_json(d)) == 0;
    if (d->sets != NULL) {
        ok = json_object_set_new(doc, "sets", sets_json(d, labels)) == 0 && ok;
    }
    if (d->unlike != NULL) {
        ok = json_object_set_new(doc, "unlike", unlike_json(d)) == 0 && ok;
    }
    return ok;
}

static void text_count(mdf_strbuf *out, const char *name, const mdf_set_count *c)
{
    if (c->n == 0) {
        mdf_strbuf_printf(out, "%-28s %6d       -\n", name, 0);
        return;
    }
    const double n = (double)c->n;
    const mdf_interval ci = mdf_wilson(c->covered, c->n);
    mdf_strbuf_printf(out, "%-28s %6zu  %6.3f  [%.3f, %.3f]  %6.2f %7.3f %7.3f %7.3f\n", name, c->n,
                      (double)c->covered / n, ci.low, ci.high, (double)c->labels / n,
                      (double)c->empty / n, (double)c->single / n, (double)c->full / n);
}

static void text_sets(mdf_strbuf *out, const mdf_doubt *d, const char *const *labels)
{
    mdf_strbuf_printf(out, "\nsets of labels with a coverage of %g, of %s\n", d->sets->coverage,
                      d->sets->by_label ? "each label" : "all labels together");
    mdf_strbuf_printf(out, "%-28s %6s  %6s  %-14s  %6s %7s %7s %7s\n", "true label", "n", "holds",
                      "", "labels", "none", "one", "all");
    for (size_t k = 0; k < d->classes; k++) {
        text_count(out, labels[k], &d->of_label[k]);
    }
    text_count(out, "all", &d->all);
}

void mdf_doubt_text(mdf_strbuf *out, const mdf_doubt *d, const char *const *labels)
{
    mdf_strbuf_puts(out, "\naccuracy of the surest answers\n");
    for (int k = 0; k < MDF_DOUBT_POINTS; k++) {
        const mdf_doubt_point p = mdf_doubt_at(d, k);
        mdf_strbuf_printf(out, "%3.0f %%  %6zu  %.3f  [%.3f, %.3f]\n", 100 * p.coverage, p.n,
                          p.accuracy, p.ci.low, p.ci.high);
    }
    mdf_strbuf_printf(out, "mean error over all shares: %.3f\n", d->risk_area);
    if (d->sets != NULL) {
        text_sets(out, d, labels);
    }
    for (size_t i = 0; i < d->dir_count; i++) {
        const mdf_unlike_count *u = &d->unlike[i];
        if (u->n > 0) {
            const mdf_interval ci = mdf_wilson(u->unlike, u->n);
            mdf_strbuf_printf(out,
                              "%s%s: %zu of %zu photographs are unlike the model's own: %.3f  "
                              "[%.3f, %.3f]\n",
                              i == 0 ? "\n" : "", u->dir, u->unlike, u->n,
                              (double)u->unlike / (double)u->n, ci.low, ci.high);
        }
    }
}
