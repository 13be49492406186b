/* Temperature scaling and calibration error. */
#include "train/calibration.h"

#include <math.h>

int mdf_argmax(const float *row, size_t classes)
{
    size_t best = 0;
    for (size_t k = 1; k < classes; k++) {
        best = row[k] > row[best] ? k : best;
    }
    return (int)best;
}

double mdf_nll(const float *logits, const int *label, size_t n, size_t classes, double temperature)
{
    double total = 0;
    size_t counted = 0;
    for (size_t i = 0; i < n; i++) {
        if (label[i] < 0) {
            continue;
        }
        const float *z = logits + i * classes;
        const double top = (double)z[mdf_argmax(z, classes)];
        double sum = 0;
        for (size_t k = 0; k < classes; k++) {
            sum += exp(((double)z[k] - top) / temperature);
        }
        total += log(sum) - ((double)z[label[i]] - top) / temperature;
        counted++;
    }
    return counted == 0 ? (double)NAN : total / (double)counted;
}

/* Golden-section search over log T: the NLL is convex in 1/T, so it has one valley in log T too. */
static double search(const float *logits, const int *label, size_t n, size_t classes)
{
    const double golden = 0.6180339887498949;
    double low = log(0.05);
    double high = log(20.0);
    double a = high - golden * (high - low);
    double b = low + golden * (high - low);
    double at_a = mdf_nll(logits, label, n, classes, exp(a));
    double at_b = mdf_nll(logits, label, n, classes, exp(b));
    while (high - low > 1e-6) {
        if (at_a <= at_b) {
            high = b;
            b = a;
            at_b = at_a;
            a = high - golden * (high - low);
            at_a = mdf_nll(logits, label, n, classes, exp(a));
        } else {
            low = a;
            a = b;
            at_a = at_b;
            b = low + golden * (high - low);
            at_b = mdf_nll(logits, label, n, classes, exp(b));
        }
    }
    return exp((low + high) / 2);
}

mdf_status mdf_temperature_fit(double *temperature, const float *logits, const int *label, size_t n,
                               size_t classes, mdf_error *err)
{
    size_t labelled = 0;
    for (size_t i = 0; i < n; i++) {
        if (label[i] >= (int)classes) {
            return mdf_fail(err, MDF_ERR_ARG, "case %zu has label %d of %zu classes", i, label[i],
                            classes);
        }
        labelled += label[i] >= 0 ? 1 : 0;
        for (size_t k = 0; k < classes; k++) {
            if (!isfinite(logits[i * classes + k])) {
                return mdf_fail(err, MDF_ERR_NUMERIC, "case %zu has a logit that is not finite", i);
            }
        }
    }
    if (labelled == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "no labelled case to fit the temperature on");
    }
    *temperature = search(logits, label, n, classes);
    return MDF_OK;
}

void mdf_reliability(mdf_reliability_bin bin[MDF_ECE_BINS], const float *prob, const int *label,
                     size_t n, size_t classes)
{
    for (size_t b = 0; b < MDF_ECE_BINS; b++) {
        bin[b] = (mdf_reliability_bin){0};
    }
    for (size_t i = 0; i < n; i++) {
        const float *p = prob + i * classes;
        const int best = mdf_argmax(p, classes);
        /* Bins are open below and closed above. */
        int b = (int)ceil((double)p[best] * MDF_ECE_BINS) - 1;
        b = b < 0 ? 0 : b;
        b = b >= MDF_ECE_BINS ? MDF_ECE_BINS - 1 : b;
        bin[b].n++;
        bin[b].confidence += (double)p[best];
        bin[b].accuracy += best == label[i] ? 1 : 0;
    }
    for (size_t b = 0; b < MDF_ECE_BINS; b++) {
        if (bin[b].n != 0) {
            bin[b].confidence /= (double)bin[b].n;
            bin[b].accuracy /= (double)bin[b].n;
        }
    }
}

double mdf_ece(const mdf_reliability_bin bin[MDF_ECE_BINS])
{
    double sum = 0;
    size_t n = 0;
    for (size_t b = 0; b < MDF_ECE_BINS; b++) {
        sum += (double)bin[b].n * fabs(bin[b].confidence - bin[b].accuracy);
        n += bin[b].n;
    }
    return n == 0 ? (double)NAN : sum / (double)n;
}

double mdf_brier(const float *prob, const int *label, size_t n, size_t classes)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < classes; k++) {
            const double d = (double)prob[i * classes + k] - (label[i] == (int)k ? 1.0 : 0.0);
            sum += d * d;
        }
    }
    return n == 0 ? (double)NAN : sum / (double)n;
}
