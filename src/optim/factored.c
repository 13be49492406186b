/* Second moments as a product, and steps that they bound. Sums of pieces are added in their order,
 * so the number of threads changes nothing. */
#include "optim/factored.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MOST_PARTS = 64 }; /* of a matrix: each has sums of all columns */

/* A tensor as matrices, and pieces of it that lie one behind the other: some whole matrices or some
 * rows of one. A vector is one row, of which pieces are columns. */
typedef struct plan {
    int64_t matrices, rows, cols;
    int64_t group;       /* whole matrices of a piece; 0: pieces are parts of a matrix */
    int64_t part, parts; /* rows (a vector: columns) of a piece, and pieces of a matrix */
    int64_t pieces;
    bool vector;
} plan;

static int64_t at_least_one(int64_t n)
{
    return n > 1 ? n : 1;
}

static int64_t pieces_of(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

static plan plan_of(const mdf_factored_rule *r, const mdf_rule_shape *s)
{
    const int64_t n = mdf_rule_count(s);
    plan p = {.matrices = 1, .rows = 1, .cols = n, .vector = s->rank < 2};
    if (p.vector) {
        p.part = MDF_RULE_PIECE;
        p.parts = p.pieces = pieces_of(n, MDF_RULE_PIECE);
        return p;
    }
    p.rows = r->one_matrix ? s->dim[0] : s->dim[s->rank - 2];
    p.cols = r->one_matrix ? n / s->dim[0] : s->dim[s->rank - 1];
    p.matrices = n / p.rows / p.cols;
    if (p.rows * p.cols < MDF_RULE_PIECE) {
        p.group = at_least_one(MDF_RULE_PIECE / (p.rows * p.cols));
        p.pieces = pieces_of(p.matrices, p.group);
        return p;
    }
    const int64_t wanted = pieces_of(p.rows * p.cols, MDF_RULE_PIECE);
    p.part = pieces_of(p.rows, wanted < MOST_PARTS ? wanted : MOST_PARTS);
    p.parts = pieces_of(p.rows, p.part);
    p.pieces = p.matrices * p.parts;
    return p;
}

/* Everything that an update works on. */
typedef struct work {
    const mdf_kernels *k;
    const mdf_rule_tensor *t;
    plan p;
    mdf_real *row, *col; /* the state: R [matrices,rows] and C [matrices,cols], or V as col */
    double *row_sum;     /* [matrices,rows] */
    double *col_sum;     /* [pieces or matrices, cols] */
    double *squares;     /* [2,pieces] of g, or of U, and of w */
    mdf_real *factor;    /* [matrices,rows] R / mean(R); a vector: 1 */
} work;

static int64_t column_sums(const plan *p)
{
    return p->vector ? 0 : (p->group > 0 ? p->matrices : p->pieces) * p->cols;
}

static work work_on(const mdf_kernels *k, const plan *p, const mdf_rule_tensor *t, void *scratch)
{
    const int64_t rows = p->matrices * p->rows;
    work w = {.k = k, .t = t, .p = *p, .row = t->state, .row_sum = scratch};
    w.col = w.row + (p->vector ? 0 : rows);
    w.col_sum = w.row_sum + rows;
    w.squares = w.col_sum + column_sums(p);
    w.factor = (mdf_real *)(w.squares + 2 * p->pieces);
    return w;
}

size_t mdf_factored_state_bytes(const mdf_factored_rule *r, const mdf_rule_shape *s)
{
    const plan p = plan_of(r, s);
    return (size_t)(p.matrices * ((p.vector ? 0 : p.rows) + p.cols)) * sizeof(mdf_real);
}

size_t mdf_factored_scratch_bytes(const mdf_factored_rule *r, const mdf_rule_shape *s)
{
    const plan p = plan_of(r, s);
    const int64_t rows = p.matrices * p.rows;
    return (size_t)(rows + column_sums(&p) + 2 * p.pieces) * sizeof(double) +
           (size_t)rows * sizeof(mdf_real);
}

/* What of one matrix lies in a piece. */
typedef struct block {
    int64_t at; /* of its first number in the tensor */
    int64_t rows, cols;
    int64_t row, col; /* its first row and column, counted over all matrices */
    int64_t col_sum;  /* place of its columns' sums */
} block;

/* Matrix (or part) i of a piece; false: there are no more. */
static bool block_of(const plan *p, int64_t piece, int64_t i, block *b)
{
    const int64_t matrix = p->group > 0 ? piece * p->group + i : piece / p->parts;
    if (i >= at_least_one(p->group) || matrix >= p->matrices) {
        return false;
    }
    const int64_t from = p->group > 0 ? 0 : piece % p->parts * p->part;
    const int64_t whole = p->vector ? p->cols : p->rows;
    const int64_t left = whole - from;
    const int64_t size = p->group > 0 || left < p->part ? left : p->part;
    *b = (block){.rows = p->vector ? 1 : size,
                 .cols = p->vector ? size : p->cols,
                 .row = p->vector ? 0 : matrix * p->rows + from,
                 .col = p->vector ? from : matrix * p->cols,
                 .col_sum = (p->group > 0 ? matrix : piece) * p->cols};
    b->at = p->vector ? from : b->row * p->cols;
    return true;
}

/* Squares of g by row and by column, and in all, with those of w. */
static void sum_piece(const work *w, int64_t piece)
{
    block b;
    double *g2 = &w->squares[2 * piece];
    double *w2 = g2 + 1;
    *g2 = *w2 = 0;
    for (int64_t i = 0; block_of(&w->p, piece, i, &b); i++) {
        const mdf_real *g = w->t->g + b.at;
        const int64_t n = b.rows * b.cols;
        *w2 += w->k->dot(w->t->w + b.at, w->t->w + b.at, n);
        if (w->p.vector) {
            *g2 += w->k->dot(g, g, n);
            continue;
        }
        memset(w->row_sum + b.row, 0, (size_t)b.rows * sizeof(double));
        memset(w->col_sum + b.col_sum, 0, (size_t)b.cols * sizeof(double));
        w->k->square_sums(w->row_sum + b.row, w->col_sum + b.col_sum, g, b.rows, b.cols);
        for (int64_t j = 0; j < b.rows; j++) {
            *g2 += w->row_sum[b.row + j];
        }
    }
}

/* moment [n] moves towards factor * sum + eps. */
static void follow(mdf_real *moment, const double *sum, int64_t n, double factor, double eps,
                   double share)
{
    for (int64_t i = 0; i < n; i++) {
        const double now = (double)moment[i];
        moment[i] = (mdf_real)(now + share * (sum[i] * factor + eps - now));
    }
}

/* R, C and the factors of one matrix. */
static void move_moments(const work *w, const mdf_factored_rule *r, int64_t matrix, double scale2,
                         double share)
{
    const plan *p = &w->p;
    mdf_real *row = w->row + matrix * p->rows;
    double *col_sum = w->col_sum + matrix * at_least_one(p->parts) * p->cols;
    for (int64_t part = 1; part < p->parts; part++) {
        for (int64_t j = 0; j < p->cols; j++) {
            col_sum[j] += col_sum[part * p->cols + j];
        }
    }
    follow(row, w->row_sum + matrix * p->rows, p->rows, scale2 / (double)p->cols, r->eps, share);
    follow(w->col + matrix * p->cols, col_sum, p->cols, scale2 / (double)p->rows, r->eps, share);
    double mean = 0;
    for (int64_t i = 0; i < p->rows; i++) {
        mean += (double)row[i];
    }
    mean /= (double)p->rows;
    mean = mean > r->least_mean ? mean : r->least_mean;
    for (int64_t i = 0; i < p->rows; i++) {
        w->factor[matrix * p->rows + i] = (mdf_real)((double)row[i] / mean);
    }
}

/* V of a piece of a vector. */
static void move_vector(const work *w, const mdf_factored_rule *r, int64_t piece, double scale2,
                        double share)
{
    block b;
    (void)block_of(&w->p, piece, 0, &b);
    for (int64_t i = b.at; i < b.at + b.cols; i++) {
        const double square = (double)w->t->g[i] * (double)w->t->g[i] * scale2;
        const double now = (double)w->col[i];
        w->col[i] = (mdf_real)(now + share * (square + r->eps - now));
    }
}

static void move_all(const work *w, const mdf_factored_rule *r, double scale2, double share)
{
    const plan *p = &w->p;
    if (p->vector) {
        w->factor[0] = 1;
#pragma omp parallel for schedule(static) if (p->pieces > 1)
        for (int64_t piece = 0; piece < p->pieces; piece++) {
            move_vector(w, r, piece, scale2, share);
        }
        return;
    }
#pragma omp parallel for schedule(static) if (p->matrices > 1)
    for (int64_t matrix = 0; matrix < p->matrices; matrix++) {
        move_moments(w, r, matrix, scale2, share);
    }
}

static mdf_factored moments_of(const work *w, const block *b, const mdf_factored_rule *r)
{
    return (mdf_factored){w->factor + b->row, w->col + b->col, (mdf_real)r->least};
}

/* The sum over all pieces of every second number, from `first` on. */
static double sum_of(const work *w, int first)
{
    double sum = 0;
    for (int64_t i = 0; i < w->p.pieces; i++) {
        sum += w->squares[2 * i + first];
    }
    return sum;
}

/* The sum of squares of g / sqrt(V). */
static double update_squares(const work *w, const mdf_factored_rule *r)
{
    const plan *p = &w->p;
#pragma omp parallel for schedule(static) if (p->pieces > 1)
    for (int64_t piece = 0; piece < p->pieces; piece++) {
        block b;
        double *sum = &w->squares[2 * piece];
        *sum = 0;
        for (int64_t i = 0; block_of(p, piece, i, &b); i++) {
            const mdf_factored v = moments_of(w, &b, r);
            *sum += w->k->factored_squares(w->t->g + b.at, &v, b.rows, b.cols);
        }
    }
    return sum_of(w, 0);
}

static void move_weights(const work *w, const mdf_factored_rule *r, double keep, double move)
{
    const plan *p = &w->p;
#pragma omp parallel for schedule(static) if (p->pieces > 1)
    for (int64_t piece = 0; piece < p->pieces; piece++) {
        block b;
        for (int64_t i = 0; block_of(p, piece, i, &b); i++) {
            const mdf_factored v = moments_of(w, &b, r);
            w->k->factored_step(w->t->w + b.at, w->t->g + b.at, &v, (mdf_real)keep, (mdf_real)move,
                                b.rows, b.cols);
        }
    }
}

void mdf_factored_update(const mdf_kernels *k, const mdf_factored_rule *r, const mdf_rule_tensor *t,
                         const mdf_rule_step *s, void *scratch)
{
    const plan p = plan_of(r, &t->shape);
    const work w = work_on(k, &p, t, scratch);
    const double n = (double)mdf_rule_count(&t->shape);
    const double scale2 = s->grad_scale * s->grad_scale;
#pragma omp parallel for schedule(static) if (p.pieces > 1)
    for (int64_t piece = 0; piece < p.pieces; piece++) {
        sum_piece(&w, piece);
    }
    if (!(sum_of(&w, 0) * scale2 <= (double)FLT_MAX)) {
        return;
    }
    double keep = 1;
    double move = 0;
    r->pace(s, sqrt(sum_of(&w, 1) / n), &keep, &move);
    move_all(&w, r, scale2, pow((double)s->step, -0.8));
    const double rms = sqrt(update_squares(&w, r) * scale2 / n);
    move_weights(&w, r, keep, move * s->grad_scale / (rms > 1 ? rms : 1));
}
