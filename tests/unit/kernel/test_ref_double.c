/* The reference in double: values known from mathematics, and every backward pass against central
 * differences. With h = 1e-5 a difference is good to about h^2 = 1e-10 of the third derivative and
 * 1e-16 / h = 1e-11 of the value, so 1e-7 leaves room and catches every wrong term. */
#include "kernel_test.h"

#include "kernel/ref/ref.h"

#define STEP             1e-5
#define DIFFERENCE_ERROR 1e-7

enum { N = 4, C = 6, GROUPS = 3, COUNT = N * C };

typedef struct probe {
    double x[4 * COUNT], w[6 * 6 * 9], b[C], r[4 * COUNT]; /* loss = sum r y */
    void (*run)(const struct probe *p, double *y);
    int64_t ny;
} probe;

static double loss(const probe *p)
{
    double y[4 * COUNT] = {0};
    double sum = 0;
    p->run(p, y);
    for (int64_t i = 0; i < p->ny; i++) {
        sum += p->r[i] * y[i];
    }
    return sum;
}

static void assert_gradient(probe *p, double *at, const double *got, int64_t n, const char *what)
{
    for (int64_t i = 0; i < n; i++) {
        const double old = at[i];
        at[i] = old + STEP;
        const double up = loss(p);
        at[i] = old - STEP;
        const double down = loss(p);
        at[i] = old;
        const double want = (up - down) / (2 * STEP);
        assert_close(&got[i], &want, 1, DIFFERENCE_ERROR, 1, what);
    }
}

static void probe_make(probe *p, void (*run)(const probe *, double *), int64_t ny)
{
    memset(p, 0, sizeof *p);
    fill(p->x, 4 * COUNT, 1, 1);
    fill(p->w, 6 * 6 * 9, 1, 2);
    fill(p->b, C, 1, 3);
    fill(p->r, 4 * COUNT, 1, 4);
    p->run = run;
    p->ny = ny;
}

static void run_gelu(const probe *p, double *y)
{
    mdf_gelu_fwd_ref(y, p->x, COUNT);
}

static void run_swiglu(const probe *p, double *y)
{
    mdf_swiglu_fwd_ref(y, p->x, p->w, COUNT);
}

static void gelu_and_swiglu_backward_are_the_derivatives(void **state)
{
    (void)state;
    probe p;
    double dx[COUNT], db[COUNT];
    probe_make(&p, run_gelu, COUNT);
    mdf_gelu_bwd_ref(dx, p.r, p.x, COUNT, false);
    assert_gradient(&p, p.x, dx, COUNT, "gelu dx");
    probe_make(&p, run_swiglu, COUNT);
    mdf_swiglu_bwd_ref(dx, db, p.r, p.x, p.w, COUNT, false, false);
    assert_gradient(&p, p.x, dx, COUNT, "swiglu da");
    assert_gradient(&p, p.w, db, COUNT, "swiglu db");
}

static void run_group_norm(const probe *p, double *y)
{
    double stats[2 * GROUPS];
    mdf_group_norm_fwd_ref(y, stats, p->x, p->w, p->b, N, C, GROUPS, 1e-5, false);
}

static void run_group_norm_relu(const probe *p, double *y)
{
    double stats[2 * GROUPS];
    mdf_group_norm_fwd_ref(y, stats, p->x, p->w, p->b, N, C, GROUPS, 1e-5, true);
}

static void group_norm_backward_is_the_derivative(void **state)
{
    (void)state;
    for (int relu = 0; relu < 2; relu++) {
        probe p;
        double dx[COUNT], dw[C] = {0}, db[C] = {0}, y[COUNT], stats[2 * GROUPS], scratch[2 * C];
        probe_make(&p, relu != 0 ? run_group_norm_relu : run_group_norm, COUNT);
        mdf_group_norm_fwd_ref(y, stats, p.x, p.w, p.b, N, C, GROUPS, 1e-5, relu != 0);
        mdf_group_norm_bwd_ref(dx, dw, db, p.r, p.x, y, p.w, stats, N, C, GROUPS, relu != 0, false,
                               scratch);
        assert_gradient(&p, p.x, dx, COUNT, "group_norm dx");
        assert_gradient(&p, p.w, dw, C, "group_norm dw");
        assert_gradient(&p, p.b, db, C, "group_norm db");
    }
}

static void run_layer_norm(const probe *p, double *y)
{
    double stats[2 * N];
    mdf_layer_norm_fwd_ref(y, stats, p->x, p->w, p->b, N, C, 1e-5);
}

static void run_rms_norm(const probe *p, double *y)
{
    double stats[N];
    mdf_rms_norm_fwd_ref(y, stats, p->x, p->w, N, C, 1e-5);
}

static void layer_and_rms_norm_backward_are_the_derivatives(void **state)
{
    (void)state;
    probe p;
    double dx[COUNT], y[COUNT], stats[2 * N], dw[C] = {0}, db[C] = {0};
    probe_make(&p, run_layer_norm, COUNT);
    mdf_layer_norm_fwd_ref(y, stats, p.x, p.w, p.b, N, C, 1e-5);
    mdf_layer_norm_bwd_ref(dx, dw, db, p.r, p.x, p.w, stats, N, C, false);
    assert_gradient(&p, p.x, dx, COUNT, "layer_norm dx");
    assert_gradient(&p, p.w, dw, C, "layer_norm dw");
    assert_gradient(&p, p.b, db, C, "layer_norm db");
    probe_make(&p, run_rms_norm, COUNT);
    memset(dw, 0, sizeof dw);
    mdf_rms_norm_fwd_ref(y, stats, p.x, p.w, N, C, 1e-5);
    mdf_rms_norm_bwd_ref(dx, dw, p.r, p.x, p.w, stats, N, C, false);
    assert_gradient(&p, p.x, dx, COUNT, "rms_norm dx");
    assert_gradient(&p, p.w, dw, C, "rms_norm dw");
}

static const mdf_conv_shape conv3 = {1, 3, 4, 2, 3, 3};
static const mdf_conv_shape conv1 = {2, 3, 2, 3, 2, 1};

static void run_conv3(const probe *p, double *y)
{
    (void)mdf_conv2d_fwd_ref(NULL, &conv3, y, p->x, p->w, p->b);
}

static void run_conv1(const probe *p, double *y)
{
    (void)mdf_conv2d_fwd_ref(NULL, &conv1, y, p->x, p->w, p->b);
}

static void convolution_backward_is_the_derivative(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        const mdf_conv_shape *s = which == 0 ? &conv3 : &conv1;
        const int64_t pixels = s->n * s->h * s->w;
        const int64_t weights = s->cin * s->cout * s->kernel * s->kernel;
        probe p;
        double dx[COUNT * 4] = {0}, dw[6 * 6 * 9] = {0}, db[C] = {0};
        probe_make(&p, which == 0 ? run_conv3 : run_conv1, pixels * s->cout);
        assert_true(mdf_conv2d_bwd_data_ref(NULL, s, dx, p.r, p.w, false));
        assert_true(mdf_conv2d_bwd_weights_ref(NULL, s, dw, db, p.x, p.r));
        assert_gradient(&p, p.x, dx, pixels * s->cin, "conv2d dx");
        assert_gradient(&p, p.w, dw, weights, "conv2d dw");
        assert_gradient(&p, p.b, db, s->cout, "conv2d db");
    }
}

static void run_max_pool(const probe *p, double *y)
{
    mdf_max_pool_fwd_ref(y, p->x, 4, 4, C);
}

static void max_pool_backward_is_the_derivative(void **state)
{
    (void)state;
    probe p;
    double dx[4 * COUNT];
    probe_make(&p, run_max_pool, COUNT);
    mdf_max_pool_bwd_ref(dx, p.r, p.x, 4, 4, C, false);
    assert_gradient(&p, p.x, dx, 4 * COUNT, "max_pool dx");
}

/* Values that can be checked with paper or any table of functions. */
static void known_values(void **state)
{
    (void)state;
    double y[4];
    mdf_gelu_fwd_ref(y, (double[]){1, -1, 0}, 3);
    /* the normal distribution function at 1 is 0.841344746068543 */
    assert_close(y, (double[]){0.841344746068543, -0.158655253931457, 0}, 3, 1e-14, 1, "gelu");
    mdf_swiglu_fwd_ref(y, (double[]){log(3.0)}, (double[]){4}, 1);
    assert_close(y, (double[]){3 * log(3.0)}, 1, 1e-14, 1, "swiglu"); /* sigmoid(ln 3) = 3/4 */
    double x[3] = {0, log(3.0), -(double)INFINITY};
    const double lse = mdf_softmax_ref(x, 3);
    assert_close(&lse, (double[]){log(4.0)}, 1, 1e-14, 1, "log-sum-exp");
    assert_close(x, (double[]){0.25, 0.75, 0}, 3, 1e-14, 1, "softmax");
    double stats[2];
    mdf_layer_norm_fwd_ref(y, stats, (double[]){1, 3}, (double[]){1, 2}, (double[]){0, 10}, 1, 2,
                           0);
    assert_close(y, (double[]){-1, 12}, 2, 1e-14, 1, "layer_norm");
    mdf_rms_norm_fwd_ref(y, stats, (double[]){1, 7}, (double[]){5, 5}, 1, 2, 0); /* rms 5 */
    assert_close(y, (double[]){1, 7}, 2, 1e-14, 1, "rms_norm");
    mdf_group_norm_fwd_ref(y, stats, (double[]){1, 3, -2, 2}, NULL, NULL, 2, 2, 1, 0, true);
    const double r = 1 / sqrt(3.5); /* mean 1, variance (0 + 4 + 9 + 1) / 4 */
    assert_close(y, (double[]){0, 2 * r, 0, r}, 4, 1e-14, 1, "group_norm");
    double w = 2, m = 0, v = 0;
    const mdf_adamw_step s = {0.9, 0.99, 0, 0.1 / (1 - 0.9), 1 / sqrt(1 - 0.99), 0.05, 0.5};
    mdf_adamw_ref(&w, &m, &v, (double[]){-6}, 1, &s);
    /* the first step is lr * sign(g) whatever g is, after the decay */
    assert_close(&w, (double[]){2 * 0.95 + 0.1}, 1, 1e-14, 1, "adamw");
    assert_close(&m, (double[]){-0.3}, 1, 1e-14, 1, "adamw m");
    assert_close(&v, (double[]){0.09}, 1, 1e-14, 1, "adamw v");
}

static void a_product_known_by_hand(void **state)
{
    (void)state;
    const double a[4] = {1, 2, 3, 4}, b[4] = {5, 6, 7, 8};
    double c[4] = {1, 1, 1, 1};
    mdf_gemm_ref(false, false, 2, 2, 2, 1, a, 2, b, 2, 0, c, 2);
    assert_close(c, (double[]){19, 22, 43, 50}, 4, 0, 0, "a b");
    mdf_gemm_ref(true, false, 2, 2, 2, 1, a, 2, b, 2, 0, c, 2);
    assert_close(c, (double[]){26, 30, 38, 44}, 4, 0, 0, "a' b");
    mdf_gemm_ref(false, true, 2, 2, 2, 2, a, 2, b, 2, 1, c, 2);
    assert_close(c, (double[]){60, 76, 116, 150}, 4, 0, 0, "2 a b' + c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(a_product_known_by_hand),
        cmocka_unit_test(gelu_and_swiglu_backward_are_the_derivatives),
        cmocka_unit_test(group_norm_backward_is_the_derivative),
        cmocka_unit_test(layer_and_rms_norm_backward_are_the_derivatives),
        cmocka_unit_test(convolution_backward_is_the_derivative),
        cmocka_unit_test(max_pool_backward_is_the_derivative),
    };
    return cmocka_run_group_tests_name("kernel/ref_double", tests, NULL, NULL);
}
