/* The specification of second moments as a product of rows and columns. */
#include "kernel/ref/ref.h"

void mdf_square_sums_ref(double *row, double *col, const mdf_real *x, int64_t n, int64_t c)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < c; j++) {
            const double square = (double)x[i * c + j] * (double)x[i * c + j];
            row[i] += square;
            col[j] += square;
        }
    }
}

static mdf_real moment(const mdf_factored *v, int64_t i, int64_t j)
{
    const mdf_real product = v->row[i] * v->col[j];
    return product > v->floor ? product : v->floor;
}

double mdf_factored_squares_ref(const mdf_real *g, const mdf_factored *v, int64_t n, int64_t c)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < c; j++) {
            sum += (double)g[i * c + j] * (double)g[i * c + j] / (double)moment(v, i, j);
        }
    }
    return sum;
}

void mdf_factored_step_ref(mdf_real *w, const mdf_real *g, const mdf_factored *v, mdf_real keep,
                           mdf_real step, int64_t n, int64_t c)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < c; j++) {
            const int64_t at = i * c + j;
            w[at] = w[at] * keep - step * g[at] / mdf_sqrt(moment(v, i, j));
        }
    }
}
