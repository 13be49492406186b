/* Second moments as a product, at every level against the reference, for every width up to 67 and
 * some that are longer than a strip. */
#include "kernel_test.h"

/* A handful of roundings of 2^-24 each, and sums of up to 256 floats in vectors of 8: 32 more. */
#define ROUNDINGS 2.5e-6

enum { ROWS = 70, WIDEST = 600 };

static int64_t next_width(int64_t c)
{
    return c < TAIL_MAX ? c + 1 : c + 177;
}

static void positive(float *x, int64_t n, uint32_t seed)
{
    fill(x, n, 1, seed);
    for (int64_t i = 0; i < n; i++) {
        x[i] = fabsf(x[i]) + 1e-3f;
    }
}

static void doubles_are_close(const double *got, const double *want, int64_t n, const char *what)
{
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs(got[i] - want[i]) <= ROUNDINGS * fabs(want[i]))) {
            fail_msg("%s: sum %lld of %lld is %.9g, want %.9g", what, (long long)i, (long long)n,
                     got[i], want[i]);
        }
    }
}

static void sums_of_squares_agree(void **state)
{
    (void)state;
    static float x[ROWS * WIDEST];
    mdf_kernels *ref = level("ref");
    for (int l = 0; l < LEVELS; l++) {
        mdf_kernels *k = level(level_names[l]);
        for (int64_t c = 1; c <= WIDEST; c = next_width(c)) {
            double row[2][ROWS + 1], col[2][WIDEST + 1];
            const int64_t n = c % 3 == 0 ? ROWS : c % 5 + 1;
            fill(x, n * c, 1, (uint32_t)c);
            for (int j = 0; j < 2; j++) {
                for (int64_t i = 0; i <= ROWS; i++) {
                    row[j][i] = (double)i;
                }
                for (int64_t i = 0; i <= WIDEST; i++) {
                    col[j][i] = (double)i;
                }
            }
            k->square_sums(row[0], col[0], x, n, c);
            ref->square_sums(row[1], col[1], x, n, c);
            doubles_are_close(row[0], row[1], n, level_names[l]);
            doubles_are_close(col[0], col[1], c, level_names[l]);
            assert_true(row[0][n] == (double)n && col[0][c] == (double)c); /* nothing behind */
        }
        mdf_kernels_free(k);
    }
    double row[2] = {1, 0}, col[3] = {0};
    ref->square_sums(row, col, (const float[]){1, 2, 3, 4, 5, 6}, 2, 3);
    assert_true(row[0] == 15 && row[1] == 77 && col[0] == 17 && col[1] == 29 && col[2] == 45);
    mdf_kernels_free(ref);
}

static void steps_agree(void **state)
{
    (void)state;
    static float g[ROWS * WIDEST], w[2][ROWS * WIDEST + 1];
    mdf_kernels *ref = level("ref");
    for (int l = 0; l < LEVELS; l++) {
        mdf_kernels *k = level(level_names[l]);
        for (int64_t c = 1; c <= WIDEST; c = next_width(c)) {
            float row[ROWS], col[WIDEST];
            const int64_t n = c % 4 == 0 ? ROWS : c % 5 + 1;
            const mdf_factored v = {row, col, 0.1f}; /* about a quarter of the products are less */
            positive(row, n, (uint32_t)c);
            positive(col, c, (uint32_t)c + 1);
            fill(g, n * c, 1, (uint32_t)c + 2);
            fill(w[0], n * c, 1, (uint32_t)c + 3);
            w[0][n * c] = 42;
            memcpy(w[1], w[0], sizeof w[0]);
            const double got = k->factored_squares(g, &v, n, c);
            const double want = ref->factored_squares(g, &v, n, c);
            assert_true(fabs(got - want) <= ROUNDINGS * want);
            k->factored_step(w[0], g, &v, 0.99f, 0.01f, n, c);
            ref->factored_step(w[1], g, &v, 0.99f, 0.01f, n, c);
            assert_close(w[0], w[1], n * c + 1, 1e-6, 1, level_names[l]);
        }
        mdf_kernels_free(k);
    }
    float one[2] = {1, 1};
    const mdf_factored v = {(const float[]){4}, (const float[]){4, 0.5f}, 4};
    /* moments 16 and 4, of which 2 became 4 */
    assert_true(ref->factored_squares((const float[]){8, 2}, &v, 1, 2) == 5);
    ref->factored_step(one, (const float[]){8, 2}, &v, 0.5f, 0.25f, 1, 2);
    assert_true(one[0] == 0 && one[1] == 0.25f);
    mdf_kernels_free(ref);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_squares_agree),
        cmocka_unit_test(steps_agree),
    };
    return cmocka_run_group_tests_name("kernel/factored", tests, NULL, NULL);
}
