/* Line charts. */
#include "report/plot.h"

#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/limits.h"

typedef struct frame {
    double left, top, width, height; /* of the plotting area */
    double x0, x1, y0, y1;           /* data range */
} frame;

static double to_x(const frame *f, double x)
{
    return f->left + (x - f->x0) / (f->x1 - f->x0) * f->width;
}

static double to_y(const frame *f, double y)
{
    return f->top + f->height - (y - f->y0) / (f->y1 - f->y0) * f->height;
}

double mdf_plot_step(double span, int max_ticks)
{
    const double rough = span / max_ticks;
    const double power = pow(10, floor(log10(rough)));
    static const double factor[] = {1, 2, 5, 10};
    for (size_t i = 0; i < 4; i++) {
        /* A hair of slack: 0.1 * 10 must count as 1. */
        if (factor[i] * power >= rough * (1 - 1e-9)) {
            return factor[i] * power;
        }
    }
    return 10 * power;
}

static bool is_point(const mdf_plot_series *s, size_t i)
{
    return isfinite(s->x[i]) && isfinite(s->y[i]);
}

static bool data_range(frame *f, const mdf_plot_series *series, size_t count)
{
    bool any = false;
    for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < series[k].n; i++) {
            if (!is_point(&series[k], i)) {
                continue;
            }
            const double x = series[k].x[i];
            const double y = series[k].y[i];
            f->x0 = any ? fmin(f->x0, x) : x;
            f->x1 = any ? fmax(f->x1, x) : x;
            f->y0 = any ? fmin(f->y0, y) : y;
            f->y1 = any ? fmax(f->y1, y) : y;
            any = true;
        }
    }
    return any;
}

/* Widens a range to whole ticks; a single value gets room on both sides. */
static void widen(double *low, double *high)
{
    if (*high - *low < 1e-12 * fmax(1, fabs(*high))) {
        *low -= 0.5;
        *high += 0.5;
    }
    const double step = mdf_plot_step(*high - *low, 6);
    *low = floor(*low / step + 1e-9) * step;
    *high = ceil(*high / step - 1e-9) * step;
}

static void tick_text(char text[32], double value, double step)
{
    if (fabs(value) < step * 1e-6) {
        value = 0;
    }
    const int digits = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    (void)snprintf(text, 32, "%.*f", digits > 6 ? 6 : digits, value);
}

static void draw_axes(mdf_canvas *c, const frame *f, const mdf_plot_options *o)
{
    cairo_t *cr = c->cr;
    char text[32];
    cairo_set_line_width(cr, 0.6);
    const double y_step = mdf_plot_step(f->y1 - f->y0, 6);
    const int y_first = (int)ceil(f->y0 / y_step - 1e-9);
    for (int i = y_first; i * y_step <= f->y1 + y_step * 1e-6; i++) {
        const double v = i * y_step;
        cairo_set_source_rgb(cr, 0.87, 0.87, 0.87);
        cairo_move_to(cr, f->left, to_y(f, v));
        cairo_line_to(cr, f->left + f->width, to_y(f, v));
        cairo_stroke(cr);
        cairo_set_source_rgb(cr, 0.25, 0.25, 0.25);
        tick_text(text, v, y_step);
        mdf_canvas_text(c, f->left - 6, to_y(f, v) + 4, 11, 1, text);
    }
    const double x_step = mdf_plot_step(f->x1 - f->x0, 7);
    const int x_first = (int)ceil(f->x0 / x_step - 1e-9);
    for (int i = x_first; i * x_step <= f->x1 + x_step * 1e-6; i++) {
        const double v = i * x_step;
        cairo_set_source_rgb(cr, 0.25, 0.25, 0.25);
        cairo_move_to(cr, to_x(f, v), f->top + f->height);
        cairo_rel_line_to(cr, 0, 4);
        cairo_stroke(cr);
        tick_text(text, v, x_step);
        mdf_canvas_text(c, to_x(f, v), f->top + f->height + 16, 11, 0.5, text);
    }
    cairo_set_line_width(cr, 1);
    cairo_move_to(cr, f->left, f->top);
    cairo_line_to(cr, f->left, f->top + f->height);
    cairo_line_to(cr, f->left + f->width, f->top + f->height);
    cairo_stroke(cr);
    mdf_canvas_text(c, f->left + f->width / 2, f->top + f->height + 33, 12, 0.5, o->x_label);
    cairo_save(cr);
    cairo_translate(cr, 14, f->top + f->height / 2);
    cairo_rotate(cr, -1.5707963267948966);
    mdf_canvas_text(c, 0, 0, 12, 0.5, o->y_label);
    cairo_restore(cr);
}

static void draw_series(mdf_canvas *c, const frame *f, const mdf_plot_series *s, size_t index)
{
    cairo_t *cr = c->cr;
    cairo_save(cr);
    cairo_rectangle(cr, f->left - 3, f->top - 3, f->width + 6, f->height + 6);
    cairo_clip(cr);
    mdf_canvas_series_style(c, index);
    cairo_set_line_width(cr, 1.6);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    bool pen_down = false;
    size_t points = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (!is_point(s, i)) {
            pen_down = false;
            continue;
        }
        points++;
        if (pen_down) {
            cairo_line_to(cr, to_x(f, s->x[i]), to_y(f, s->y[i]));
        } else {
            cairo_move_to(cr, to_x(f, s->x[i]), to_y(f, s->y[i]));
        }
        pen_down = true;
    }
    cairo_stroke(cr);
    cairo_set_dash(cr, NULL, 0, 0);
    for (size_t i = 0; points <= 40 && i < s->n; i++) {
        if (is_point(s, i)) {
            cairo_arc(cr, to_x(f, s->x[i]), to_y(f, s->y[i]), 2.2, 0, 6.2831853);
            cairo_fill(cr);
        }
    }
    cairo_restore(cr);
}

static void draw_legend(mdf_canvas *c, const frame *f, const mdf_plot_series *series, size_t count)
{
    const double x = f->left + f->width + 14;
    for (size_t k = 0; k < count; k++) {
        const double y = f->top + 8 + 17 * (double)k;
        if (y >= f->top + f->height) {
            break;
        }
        mdf_canvas_series_style(c, k);
        cairo_set_line_width(c->cr, 2.2);
        cairo_move_to(c->cr, x, y - 4);
        cairo_rel_line_to(c->cr, 18, 0);
        cairo_stroke(c->cr);
        cairo_set_dash(c->cr, NULL, 0, 0);
        cairo_set_source_rgb(c->cr, 0.15, 0.15, 0.15);
        mdf_canvas_text(c, x + 23, y, 11, 0, series[k].name);
    }
}

static double legend_width(mdf_canvas *c, const mdf_plot_series *series, size_t count)
{
    double widest = 0;
    cairo_set_font_size(c->cr, 11);
    for (size_t k = 0; k < count; k++) {
        cairo_text_extents_t e;
        cairo_text_extents(c->cr, series[k].name, &e);
        widest = fmax(widest, e.x_advance);
    }
    return fmin(widest, 190) + 46;
}

static void draw_diagonal(mdf_canvas *c, const frame *f)
{
    static const double dots[] = {2, 3};
    cairo_set_source_rgb(c->cr, 0.55, 0.55, 0.55);
    cairo_set_line_width(c->cr, 1);
    cairo_set_dash(c->cr, dots, 2, 0);
    cairo_move_to(c->cr, to_x(f, 0), to_y(f, 0));
    cairo_line_to(c->cr, to_x(f, 1), to_y(f, 1));
    cairo_stroke(c->cr);
    cairo_set_dash(c->cr, NULL, 0, 0);
}

/* bars: [MDF_ECE_BINS] heights in y units behind the curves; NULL = none. */
static void draw_chart(mdf_canvas *c, double width, double height, const mdf_plot_series *series,
                       size_t count, const mdf_plot_options *o, const double *bars)
{
    frame f = {.left = 58, .top = 34, .height = height - 34 - 44};
    f.width = width - f.left - legend_width(c, series, count);
    cairo_set_source_rgb(c->cr, 0.1, 0.1, 0.1);
    mdf_canvas_text(c, f.left, 20, 14, 0, o->title);
    if (!data_range(&f, series, count)) {
        mdf_canvas_text(c, f.left + f.width / 2, f.top + f.height / 2, 13, 0.5, "no data");
        return;
    }
    if (f.x1 - f.x0 < 1e-12) {
        widen(&f.x0, &f.x1);
    }
    widen(&f.y0, &f.y1);
    if (o->unit_axes || o->unit_y) {
        f.y0 = 0;
        f.y1 = 1;
    }
    if (o->unit_axes) {
        f.x0 = 0;
        f.x1 = 1;
    }
    for (size_t b = 0; bars != NULL && b < MDF_ECE_BINS; b++) {
        const double x = to_x(&f, (double)b / MDF_ECE_BINS);
        cairo_set_source_rgb(c->cr, 0.86, 0.88, 0.91);
        cairo_rectangle(c->cr, x + 1, to_y(&f, bars[b]), f.width / MDF_ECE_BINS - 2,
                        to_y(&f, 0) - to_y(&f, bars[b]));
        cairo_fill(c->cr);
    }
    draw_axes(c, &f, o);
    if (o->unit_axes) {
        draw_diagonal(c, &f);
    }
    for (size_t k = 0; k < count; k++) {
        draw_series(c, &f, &series[k], k);
    }
    draw_legend(c, &f, series, count);
}

static mdf_status chart(mdf_png_bytes *out, const mdf_plot_series *series, size_t count,
                        const mdf_plot_options *o, const double *bars, mdf_error *err)
{
    const double width = o->width > 0 ? o->width : 520;
    const double height = o->height > 0 ? o->height : 320;
    mdf_canvas c;
    MDF_TRY(mdf_canvas_new(&c, width, height, 2, err));
    draw_chart(&c, width, height, series, count, o, bars);
    const mdf_status status = mdf_canvas_png(&c, out, err);
    mdf_canvas_free(&c);
    return status;
}

mdf_status mdf_plot_lines(mdf_png_bytes *out, const mdf_plot_series *series, size_t count,
                          const mdf_plot_options *o, mdf_error *err)
{
    return chart(out, series, count, o, NULL, err);
}

/* One class's curve; its points and name are owned by the caller's blocks. */
static mdf_status roc_series(mdf_plot_series *s, double *points, char *name, size_t name_bytes,
                             const mdf_metrics_input *in, size_t k, const char *label,
                             mdf_error *err)
{
    mdf_ranking r;
    MDF_TRY(mdf_ranking_new(&r, in->prob + k, in->classes, in->label, (int)k, in->n, err));
    const double auc = mdf_ranking_auc(&r, NULL);
    *s = (mdf_plot_series){.name = name, .x = points, .y = points + in->n + 1};
    if (!isnan(auc)) {
        mdf_ranking_roc(&r, points, points + in->n + 1, &s->n);
        (void)snprintf(name, name_bytes, "%s (%.3f)", label, auc);
    }
    mdf_ranking_free(&r);
    return MDF_OK;
}

mdf_status mdf_plot_roc(mdf_png_bytes *out, const mdf_metrics_input *in, const char *const *labels,
                        mdf_error *err)
{
    enum { NAME_BYTES = MDF_MAX_LABEL_BYTES + 16 };
    const size_t each = 2 * (in->n + 1);
    mdf_plot_series *series = mdf_alloc(in->classes, sizeof *series);
    double *points = mdf_alloc(in->classes * each, sizeof *points);
    char *names = mdf_alloc(in->classes, NAME_BYTES);
    mdf_status status = series == NULL || points == NULL || names == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the ROC curves")
                            : MDF_OK;
    size_t count = 0;
    for (size_t k = 0; status == MDF_OK && k < in->classes; k++) {
        status = roc_series(&series[count], points + k * each, names + k * NAME_BYTES, NAME_BYTES,
                            in, k, labels[k], err);
        count += status == MDF_OK && series[count].n != 0 ? 1 : 0;
    }
    if (status == MDF_OK) {
        const mdf_plot_options o = {.title = "ROC, one class against the rest (AUC)",
                                    .x_label = "1 - specificity",
                                    .y_label = "sensitivity",
                                    .unit_axes = true};
        status = chart(out, series, count, &o, NULL, err);
    }
    mdf_free(series);
    mdf_free(points);
    mdf_free(names);
    return status;
}

typedef struct reliability_points {
    double x[MDF_ECE_BINS];
    double y[MDF_ECE_BINS];
    size_t n;
    double share[MDF_ECE_BINS];
    char name[48];
} reliability_points;

static void fill_points(reliability_points *p, const float *prob, const mdf_metrics_input *in,
                        const char *name)
{
    mdf_reliability_bin bin[MDF_ECE_BINS];
    mdf_reliability(bin, prob, in->label, in->n, in->classes);
    p->n = 0;
    for (size_t b = 0; b < MDF_ECE_BINS; b++) {
        p->share[b] = in->n == 0 ? 0 : (double)bin[b].n / (double)in->n;
        if (bin[b].n != 0) {
            p->x[p->n] = bin[b].confidence;
            p->y[p->n] = bin[b].accuracy;
            p->n++;
        }
    }
    (void)snprintf(p->name, sizeof p->name, "%s (ECE %.3f)", name, mdf_ece(bin));
}

mdf_status mdf_plot_reliability(mdf_png_bytes *out, const mdf_metrics_input *in, mdf_error *err)
{
    reliability_points p[2];
    fill_points(&p[0], in->prob, in, "as trained");
    size_t count = 1;
    if (in->calibrated != NULL) {
        fill_points(&p[1], in->calibrated, in, "calibrated");
        count = 2;
    }
    mdf_plot_series series[2];
    for (size_t k = 0; k < count; k++) {
        series[k] = (mdf_plot_series){p[k].name, p[k].x, p[k].y, p[k].n};
    }
    const mdf_plot_options o = {.title = "Reliability (bars: share of the cases)",
                                .x_label = "confidence",
                                .y_label = "accuracy",
                                .unit_axes = true};
    return chart(out, series, count, &o, p[count - 1].share, err);
}
