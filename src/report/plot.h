/* Charts as PNG bytes: lines (losses, metrics), ROC curves, reliability diagram. */
#ifndef MDF_REPORT_PLOT_H
#define MDF_REPORT_PLOT_H

#include "report/canvas.h"
#include "train/metrics.h"

typedef struct mdf_plot_series {
    const char *name;
    const double *x; /* [n] */
    const double *y; /* [n] a value that is not finite leaves a gap */
    size_t n;
} mdf_plot_series;

typedef struct mdf_plot_options {
    const char *title;
    const char *x_label;
    const char *y_label;
    bool unit_axes; /* both axes 0..1, and a dotted diagonal */
    bool unit_y;    /* y axis 0..1 */
    double width;   /* 0 = 520 */
    double height;  /* 0 = 320 */
} mdf_plot_options;

/* Without a finite point the chart says "no data". */
mdf_status mdf_plot_lines(mdf_png_bytes *out, const mdf_plot_series *series, size_t count,
                          const mdf_plot_options *o, mdf_error *err) MDF_NODISCARD;

/* One curve per class that has both positives and negatives, its area in the legend. */
mdf_status mdf_plot_roc(mdf_png_bytes *out, const mdf_metrics_input *in, const char *const *labels,
                        mdf_error *err) MDF_NODISCARD;

/* Accuracy over confidence, the share of the cases as grey bars; calibrated may be NULL. */
mdf_status mdf_plot_reliability(mdf_png_bytes *out, const mdf_metrics_input *in,
                                mdf_error *err) MDF_NODISCARD;

/* A step of 1, 2 or 5 times a power of ten that cuts a span into at most max_ticks parts. */
double mdf_plot_step(double span, int max_ticks);

#endif
