/* Depthwise convolutions and clipping: known values, and the fast levels against the reference at
 * every width, kernel, stride and border. */
#include "kernel_test.h"

/* A sum of at most 49 products of numbers below 1 (weights: of at most 400) in float, in another
 * order: about sqrt(terms) roundings of 6e-8 of the sum of their sizes, which is the scale. */
#define SUM_ERROR 1e-6

typedef mdf_depthwise_shape shape;

/* TensorFlow's "SAME": as many outputs as stride allows, the odd zero below and to the right. */
static shape same(int64_t h, int64_t w, int64_t c, int64_t kernel, int64_t stride)
{
    const int64_t oh = (h + stride - 1) / stride;
    const int64_t ow = (w + stride - 1) / stride;
    const int64_t y = (oh - 1) * stride + kernel - h;
    const int64_t x = (ow - 1) * stride + kernel - w;
    return (shape){h, w, c, oh, ow, kernel, stride, y > 0 ? y / 2 : 0, x > 0 ? x / 2 : 0};
}

/* Exact sizes, so that the address sanitizer sees every step outside. */
typedef struct arrays {
    float *x, *y, *w, *b, *got, *want;
    int64_t nx, ny, nw;
} arrays;

static float *array(int64_t n, uint32_t seed)
{
    float *p = mdf_alloc((size_t)n, sizeof *p);
    assert_non_null(p);
    fill(p, n, 1, seed);
    return p;
}

static arrays arrays_make(const shape *s)
{
    arrays a = {
        .nx = s->h * s->w * s->c, .ny = s->oh * s->ow * s->c, .nw = s->kernel * s->kernel * s->c};
    a.x = array(a.nx, 1);
    a.y = array(a.ny, 2);
    a.w = array(a.nw, 3);
    a.b = array(s->c, 4);
    return a;
}

/* Two arrays with the same numbers, one for each level. */
static void results_make(arrays *a, int64_t n)
{
    mdf_free(a->got);
    mdf_free(a->want);
    a->got = array(n, 5);
    a->want = array(n, 5);
}

static void arrays_free(arrays *a)
{
    float *part[] = {a->x, a->y, a->w, a->b, a->got, a->want};
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        mdf_free(part[i]);
    }
}

/* Rows from..to-1 only; the others must stay as they were. */
static void check_rows(const mdf_kernels *ref, const mdf_kernels *k, const shape *s, arrays *a,
                       bool from_start, bool to_end)
{
    const double terms = (double)(s->kernel * s->kernel);
    const int64_t y0 = from_start ? 0 : s->oh / 3;
    const int64_t y1 = to_end ? s->oh : s->oh - s->oh / 3;
    const int64_t x0 = from_start ? 0 : s->h / 3;
    const int64_t x1 = to_end ? s->h : s->h - s->h / 3;
    for (int clip = 0; clip < 2; clip++) {
        const float high = clip != 0 ? 0.5f : INFINITY;
        const float low = clip != 0 ? -0.25f : -INFINITY;
        results_make(a, a->ny);
        ref->depthwise_fwd(a->want, a->x, a->w, a->b, s, y0, y1, low, high);
        k->depthwise_fwd(a->got, a->x, a->w, a->b, s, y0, y1, low, high);
        assert_close(a->got, a->want, a->ny, SUM_ERROR, terms, "depthwise_fwd");
    }
    for (int acc = 0; acc < 2; acc++) {
        results_make(a, a->nx);
        ref->depthwise_bwd_data(a->want, a->y, a->w, s, x0, x1, acc != 0);
        k->depthwise_bwd_data(a->got, a->y, a->w, s, x0, x1, acc != 0);
        assert_close(a->got, a->want, a->nx, SUM_ERROR, terms, "depthwise_bwd_data");
    }
    results_make(a, a->nw);
    ref->depthwise_bwd_weights(a->want, a->y, a->x, s, y0, y1);
    k->depthwise_bwd_weights(a->got, a->y, a->x, s, y0, y1);
    assert_close(a->got, a->want, a->nw, SUM_ERROR, 1 + (double)(s->oh * s->ow),
                 "depthwise_bwd_weights");
}

static void check(const mdf_kernels *ref, const mdf_kernels *k, const shape *s)
{
    arrays a = arrays_make(s);
    check_rows(ref, k, s, &a, true, true);
    if (s->h > 2) {
        check_rows(ref, k, s, &a, true, false);
        check_rows(ref, k, s, &a, false, true);
    }
    arrays_free(&a);
}

typedef void level_test(const mdf_kernels *ref, const mdf_kernels *k);

static void each_level(level_test *test)
{
    mdf_kernels *ref = level("ref");
    for (int i = 0; i < LEVELS; i++) {
        mdf_kernels *k = level(level_names[i]);
        test(ref, k);
        mdf_kernels_free(k);
    }
    mdf_kernels_free(ref);
}

static void widths_case(const mdf_kernels *ref, const mdf_kernels *k)
{
    static const int64_t wide[] = {128, 144, 200, 272, 256 + 16 + 3};
    for (int64_t i = 1; i <= TAIL_MAX + 5; i++) {
        const int64_t c = i <= TAIL_MAX ? i : wide[i - TAIL_MAX - 1];
        for (int64_t kernel = 1; kernel <= 7; kernel += 2) {
            for (int64_t stride = 1; stride <= 3; stride++) {
                const shape wider = same(4, 9, c, kernel, stride);
                const shape higher = same(5, 3, c, kernel, stride);
                check(ref, k, &wider);
                check(ref, k, &higher);
            }
        }
    }
}

static void every_number_of_channels_agrees(void **state)
{
    (void)state;
    each_level(widths_case);
}

/* 16 channels are whole vectors: kernels and strides that are compiled as constants. */
static void sizes_case(const mdf_kernels *ref, const mdf_kernels *k)
{
    for (int64_t h = 1; h <= 9; h++) {
        for (int64_t w = 1; w <= 9; w++) {
            for (int64_t i = 0; i < 12; i++) {
                const shape whole = same(h, w, 16, i / 3 * 2 + 1, i % 3 + 1);
                const shape rest = same(h, w, 5, i / 3 * 2 + 1, i % 3 + 1);
                check(ref, k, &whole);
                check(ref, k, &rest);
            }
        }
    }
}

static void every_size_agrees_and_pictures_smaller_than_the_kernel(void **state)
{
    (void)state;
    each_level(sizes_case);
}

/* Rows of several tiles with every rest; even kernels, large strides, other borders than SAME. */
static void tiles_case(const mdf_kernels *ref, const mdf_kernels *k)
{
    for (int64_t w = 10; w <= 40; w++) {
        for (int64_t i = 0; i < 4; i++) {
            const shape s = same(7, w, 32, i / 2 * 2 + 3, i % 2 + 1);
            check(ref, k, &s);
        }
    }
    for (int64_t kernel = 1; kernel <= MDF_DEPTHWISE_MAX; kernel++) {
        for (int64_t stride = 1; stride <= MDF_DEPTHWISE_MAX; stride++) {
            const shape s = same(11, 20, 17, kernel, stride);
            check(ref, k, &s);
        }
        const int64_t more = kernel - 1;
        const shape valid = {9, 12, 16, 9 - more, 12 - more, kernel, 1, 0, 0};
        const shape full = {5, 9, 16, 5 + more, 9 + more, kernel, 1, more, more};
        const shape mixed = {6, 13, 16, (6 + more) / 2, (13 - more) / 2, kernel, 2, more, 0};
        check(ref, k, &valid);
        check(ref, k, &full);
        check(ref, k, &mixed);
    }
}

static void several_tiles_and_other_borders_agree(void **state)
{
    (void)state;
    each_level(tiles_case);
}

/* What a task computes does not depend on how the rows are cut into tasks. */
static void pieces_case(const mdf_kernels *ref, const mdf_kernels *k)
{
    (void)ref;
    const shape shapes[] = {same(9, 21, 48, 3, 1), same(9, 21, 48, 5, 2), same(9, 21, 19, 7, 3)};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const shape *s = &shapes[i];
        arrays a = arrays_make(s);
        results_make(&a, a.ny);
        k->depthwise_fwd(a.want, a.x, a.w, a.b, s, 0, s->oh, 0, 6);
        for (int64_t y = 0; y < s->oh; y++) {
            k->depthwise_fwd(a.got, a.x, a.w, a.b, s, y, y + 1, 0, 6);
        }
        assert_memory_equal(a.got, a.want, (size_t)a.ny * sizeof *a.got);
        results_make(&a, a.nx);
        k->depthwise_bwd_data(a.want, a.y, a.w, s, 0, s->h, true);
        for (int64_t y = 0; y < s->h; y++) {
            k->depthwise_bwd_data(a.got, a.y, a.w, s, y, y + 1, true);
        }
        assert_memory_equal(a.got, a.want, (size_t)a.nx * sizeof *a.got);
        arrays_free(&a);
    }
}

static void rows_alone_give_the_same_bits(void **state)
{
    (void)state;
    each_level(pieces_case);
}

/* What is not a number must reach exactly what it does by the reference, and nothing beside. */
static void broken_case(const mdf_kernels *ref, const mdf_kernels *k)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int64_t i = 0; i < 3 * 12; i++) {
        const int64_t c = i % 2 == 0 ? 16 : 11;
        const shape s = same(7, 13, c, i / 3 % 4 * 2 + 1, 1 + i / 12);
        arrays a = arrays_make(&s);
        a.x[(3 * s.w + 12) * c + 1] = bad[i % 3];
        a.x[10] = bad[(i + 1) % 3];
        a.y[(s.oh * s.ow - 1) * c + 2] = bad[i % 3];
        a.y[9] = bad[(i + 1) % 3];
        check_rows(ref, k, &s, &a, true, true);
        arrays_free(&a);
    }
}

static void infinities_and_nan_go_where_the_reference_sends_them(void **state)
{
    (void)state;
    each_level(broken_case);
}

/* Ones everywhere: an output is the number of pixels that it sees; here 4 x 4 pixels, 3 x 3
 * weights, stride 2, so that the odd zeros stand below and to the right. */
static void values_known_by_hand(void **state)
{
    (void)state;
    static const char *const names[] = {"ref", "avx2", "avx512"};
    const shape s = same(4, 4, 1, 3, 2);
    const float one[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const float seen[4] = {9, 6, 6, 4};
    const float clipped[4] = {8.5f, 6.5f, 6.5f, 5};
    /* how many outputs see a pixel */
    const float seeing[16] = {1, 1, 2, 1, 1, 1, 2, 1, 2, 2, 4, 2, 1, 1, 2, 1};
    /* how many pairs of an output and a pixel a weight joins */
    const float joined[9] = {4, 4, 2, 4, 4, 2, 2, 2, 1};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        mdf_kernels *k = level(names[i]);
        float y[4], dx[16], dw[9] = {0};
        k->depthwise_fwd(y, one, one, (float[]){0}, &s, 0, 2, -INFINITY, INFINITY);
        assert_close(y, seen, 4, 0, 0, names[i]);
        k->depthwise_fwd(y, one, one, (float[]){0.5f}, &s, 0, 2, 5, 8.5f);
        assert_close(y, clipped, 4, 0, 0, names[i]);
        k->depthwise_bwd_data(dx, one, one, &s, 0, 4, false);
        assert_close(dx, seeing, 16, 0, 0, names[i]);
        k->depthwise_bwd_weights(dw, one, one, &s, 0, 2);
        assert_close(dw, joined, 9, 0, 0, names[i]);
        mdf_kernels_free(k);
    }
}

static void clip_case(const mdf_kernels *ref, const mdf_kernels *k)
{
    enum { N = 3 };
    for (int64_t c = 1; c <= TAIL_MAX; c++) {
        float got[N * TAIL_MAX + 1], want[N * TAIL_MAX + 1], b[TAIL_MAX], dy[N * TAIL_MAX + 1];
        fill(got, N * c, 4, (uint32_t)c);
        fill(b, c, 4, (uint32_t)c + 100);
        got[N * c] = 42; /* must stay */
        memcpy(want, got, sizeof want);
        ref->bias_clip_fwd(want, b, N, c, 0, 6);
        k->bias_clip_fwd(got, b, N, c, 0, 6);
        assert_close(got, want, N * c + 1, 0, 0, "bias_clip_fwd"); /* one addition: no freedom */
        fill(dy, N * c, 1, (uint32_t)c + 200);
        dy[N * c] = 42;
        memcpy(want, dy, sizeof want);
        ref->clip_bwd(want, got, N * c, 0, 6);
        k->clip_bwd(dy, got, N * c, 0, 6);
        assert_close(dy, want, N * c + 1, 0, 0, "clip_bwd");
    }
}

static void clipping_is_equal_on_every_tail(void **state)
{
    (void)state;
    each_level(clip_case);
}

/* At a limit a number is kept and its gradient is not (as PyTorch's hardtanh has it); a broken
 * number stays to be seen. 40 copies of each, so that vectors and tails meet them. */
static void clipping_at_its_limits(void **state)
{
    (void)state;
    enum { ROWS = 40, COUNT = 10 };
    static const char *const names[] = {"ref", "avx2", "avx512"};
    const float y[COUNT] = {
        0,   6, nextafterf(0, 1), nextafterf(6, 0), nextafterf(6, 7), -1e-45f, INFINITY, -INFINITY,
        NAN, 3};
    const float cut[COUNT] = {0, 6, nextafterf(0, 1), nextafterf(6, 0), 6, 0, 6, 0, NAN, 3};
    const float slope[COUNT] = {0, 0, 1, 1, 0, 0, 0, 0, 1, 1};
    const float zero[COUNT] = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        mdf_kernels *k = level(names[i]);
        float a[ROWS * COUNT], d[ROWS * COUNT];
        for (int j = 0; j < ROWS * COUNT; j++) {
            a[j] = y[j % COUNT];
            d[j] = 1;
        }
        k->clip_bwd(d, a, ROWS * COUNT, 0, 6);
        k->bias_clip_fwd(a, zero, ROWS, COUNT, -INFINITY, INFINITY);
        for (int j = 0; j < ROWS; j++) {
            assert_close(d + j * COUNT, slope, COUNT, 0, 0, "clip_bwd");
            assert_close(a + j * COUNT, y, COUNT, 0, 0, "bias_clip_fwd without limits");
        }
        k->bias_clip_fwd(a, zero, ROWS, COUNT, 0, 6);
        for (int j = 0; j < ROWS; j++) {
            assert_close(a + j * COUNT, cut, COUNT, 0, 0, "bias_clip_fwd");
        }
        mdf_kernels_free(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_known_by_hand),
        cmocka_unit_test(every_number_of_channels_agrees),
        cmocka_unit_test(every_size_agrees_and_pictures_smaller_than_the_kernel),
        cmocka_unit_test(several_tiles_and_other_borders_agree),
        cmocka_unit_test(rows_alone_give_the_same_bits),
        cmocka_unit_test(infinities_and_nan_go_where_the_reference_sends_them),
        cmocka_unit_test(clipping_is_equal_on_every_tail),
        cmocka_unit_test(clipping_at_its_limits),
    };
    return cmocka_run_group_tests_name("kernel/depthwise", tests, NULL, NULL);
}
