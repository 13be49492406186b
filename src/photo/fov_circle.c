/* Random sample consensus, then least squares. */
#include "photo/fov_circle.h"

#include <math.h>

#include "base/rng.h"

enum { TRIALS = 400, REFINEMENTS = 4 };

static bool through_three(mdf_circle *c, const mdf_edge_point *a, const mdf_edge_point *b,
                          const mdf_edge_point *d)
{
    const double bx = (double)b->x - (double)a->x;
    const double by = (double)b->y - (double)a->y;
    const double dx = (double)d->x - (double)a->x;
    const double dy = (double)d->y - (double)a->y;
    const double det = 2.0 * (bx * dy - by * dx);
    if (fabs(det) < 1e-6) {
        return false;
    }
    const double b2 = bx * bx + by * by;
    const double d2 = dx * dx + dy * dy;
    const double ux = (dy * b2 - by * d2) / det;
    const double uy = (bx * d2 - dx * b2) / det;
    *c = (mdf_circle){(double)a->x + ux, (double)a->y + uy, sqrt(ux * ux + uy * uy)};
    return true;
}

static bool near(const mdf_circle *c, const mdf_edge_point *p, double tolerance)
{
    const double dx = (double)p->x - c->cx;
    const double dy = (double)p->y - c->cy;
    return fabs(sqrt(dx * dx + dy * dy) - c->r) <= tolerance;
}

static size_t count_near(const mdf_circle *c, const mdf_edge_point *p, size_t n, double tolerance)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += (size_t)near(c, p + i, tolerance);
    }
    return count;
}

/* Algebraic least squares (Kasa) over the points near c: x^2 + y^2 = 2 a x + 2 b y + k, about their
 * mean for the sake of the numbers. */
static bool refine(mdf_circle *c, const mdf_edge_point *p, size_t n, double tolerance)
{
    double mx = 0.0;
    double my = 0.0;
    double count = 0.0;
    for (size_t i = 0; i < n; i++) {
        if (near(c, p + i, tolerance)) {
            mx += (double)p[i].x;
            my += (double)p[i].y;
            count += 1.0;
        }
    }
    if (count < 3.0) {
        return false;
    }
    mx /= count;
    my /= count;
    double xx = 0.0;
    double xy = 0.0;
    double yy = 0.0;
    double xz = 0.0;
    double yz = 0.0;
    double zz = 0.0;
    for (size_t i = 0; i < n; i++) {
        if (near(c, p + i, tolerance)) {
            const double x = (double)p[i].x - mx;
            const double y = (double)p[i].y - my;
            const double z = x * x + y * y;
            xx += x * x;
            xy += x * y;
            yy += y * y;
            xz += x * z;
            yz += y * z;
            zz += z;
        }
    }
    const double det = xx * yy - xy * xy;
    if (fabs(det) < 1e-9) {
        return false;
    }
    const double a = 0.5 * (xz * yy - yz * xy) / det;
    const double b = 0.5 * (yz * xx - xz * xy) / det;
    *c = (mdf_circle){mx + a, my + b, sqrt(zz / count + a * a + b * b)};
    return true;
}

bool mdf_circle_fit(mdf_circle *out, size_t *on_circle, const mdf_edge_point *p, size_t n,
                    double tolerance, double r_min, double r_max)
{
    *on_circle = 0;
    if (n < 8) {
        return false;
    }
    mdf_rng r = mdf_rng_new(20, 1);
    mdf_circle best = {0};
    for (int i = 0; i < TRIALS; i++) {
        mdf_circle c;
        const mdf_edge_point *a = p + mdf_rng_below(&r, (uint32_t)n);
        const mdf_edge_point *b = p + mdf_rng_below(&r, (uint32_t)n);
        const mdf_edge_point *d = p + mdf_rng_below(&r, (uint32_t)n);
        if (through_three(&c, a, b, d) && c.r >= r_min && c.r <= r_max) {
            const size_t count = count_near(&c, p, n, tolerance);
            if (count > *on_circle) {
                *on_circle = count;
                best = c;
            }
        }
    }
    for (int i = 0; i<REFINEMENTS && * on_circle> 0; i++) {
        mdf_circle c = best;
        if (!refine(&c, p, n, tolerance) || c.r < r_min || c.r > r_max) {
            break;
        }
        const size_t count = count_near(&c, p, n, tolerance);
        if (count < *on_circle) {
            break;
        }
        *on_circle = count;
        best = c;
    }
    *out = best;
    return *on_circle > 0;
}
