/* Connected areas, row by row. Only the runs of two rows are kept: areas that touch the row above
 * are joined by union-find, and an area that no run of the present row belongs to has ended. */
#include "photo/spots.h"

#include "base/alloc.h"

/* Pixels begin to end - 1 of a row, which belong to an area. */
typedef struct run {
    int begin, end;
    int area; /* index in spot */
} run;

/* Areas that reach the present row or the one above; more than there are runs in both are none. */
typedef struct search {
    run *now, *above; /* [room] ascending */
    int now_count, above_count;
    mdf_spot *spot, *kept; /* [2 * room]; kept: of the areas that go on */
    int *parent;           /* [2 * room] union-find; a root is its own */
    int *moved;            /* [2 * room] a root's place in kept; -1: none */
    int spots;
    mdf_spot_fn *each;
    void *user;
} search;

static mdf_status search_new(search *s, int width, mdf_error *err)
{
    const size_t room = ((size_t)width + 1) / 2;
    s->now = mdf_alloc(room, sizeof *s->now);
    s->above = mdf_alloc(room, sizeof *s->above);
    s->spot = mdf_alloc(2 * room, sizeof *s->spot);
    s->kept = mdf_alloc(2 * room, sizeof *s->kept);
    s->parent = mdf_alloc(2 * room, sizeof *s->parent);
    s->moved = mdf_alloc(2 * room, sizeof *s->moved);
    return s->now == NULL || s->above == NULL || s->spot == NULL || s->kept == NULL ||
                   s->parent == NULL || s->moved == NULL
               ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the areas of a mask")
               : MDF_OK;
}

static void search_free(search *s)
{
    mdf_free(s->now);
    mdf_free(s->above);
    mdf_free(s->spot);
    mdf_free(s->kept);
    mdf_free(s->parent);
    mdf_free(s->moved);
}

static int root_of(const search *s, int area)
{
    while (s->parent[area] != area) {
        s->parent[area] = s->parent[s->parent[area]];
        area = s->parent[area];
    }
    return area;
}

static void add(mdf_spot *to, const mdf_spot *from)
{
    to->area += from->area;
    to->sum_x += from->sum_x;
    to->sum_y += from->sum_y;
    to->left = from->left < to->left ? from->left : to->left;
    to->top = from->top < to->top ? from->top : to->top;
    to->right = from->right > to->right ? from->right : to->right;
    to->bottom = from->bottom > to->bottom ? from->bottom : to->bottom;
    to->at_border = to->at_border || from->at_border;
}

static void join(search *s, int a, int b)
{
    a = root_of(s, a);
    b = root_of(s, b);
    if (a != b) {
        add(&s->spot[a], &s->spot[b]);
        s->parent[b] = a;
    }
}

/* Does a pixel of the run lie beside one outside of the field of view? */
static bool is_at_border(const mdf_field *f, int y, int begin, int end)
{
    for (int row = y - 1; row <= y + 1; row++) {
        int from = 0;
        int to = 0;
        mdf_field_row(f, row, &from, &to);
        const int beside = row == y ? 1 : 0;
        if (begin - beside < from || end + beside > to) {
            return true;
        }
    }
    return false;
}

/* The row's runs, each an area of its own. */
static void find_runs(search *s, const uint8_t *mask, const mdf_field *f, int y)
{
    const uint8_t *px = mask + (size_t)y * (size_t)f->width;
    int x = 0;
    int end = 0;
    mdf_field_row(f, y, &x, &end);
    while (x < end) {
        const int begin = x;
        while (x < end && px[x] != 0) {
            x++;
        }
        const int64_t n = x - begin;
        if (n == 0) {
            x++;
            continue;
        }
        s->parent[s->spots] = s->spots;
        s->spot[s->spots] = (mdf_spot){.area = n,
                                       .left = begin,
                                       .top = y,
                                       .right = x,
                                       .bottom = y + 1,
                                       .sum_x = n * (begin + x - 1) / 2,
                                       .sum_y = n * y,
                                       .at_border = is_at_border(f, y, begin, x)};
        s->now[s->now_count++] = (run){begin, x, s->spots++};
    }
}

static void join_touching(search *s)
{
    int first = 0;
    for (int i = 0; i < s->now_count; i++) {
        const run *r = &s->now[i];
        while (first < s->above_count && s->above[first].end < r->begin) {
            first++;
        }
        for (int k = first; k < s->above_count && s->above[k].begin <= r->end; k++) {
            join(s, s->above[k].area, r->area);
        }
    }
}

/* Tells the areas that have ended; the others go on, and the present row is the one above. */
static void end_row(search *s)
{
    int kept = 0;
    for (int i = 0; i < s->spots; i++) {
        s->moved[i] = -1;
    }
    for (int i = 0; i < s->now_count; i++) {
        const int root = root_of(s, s->now[i].area);
        if (s->moved[root] < 0) {
            s->kept[kept] = s->spot[root];
            s->moved[root] = kept++;
        }
        s->now[i].area = s->moved[root];
    }
    for (int i = 0; i < s->spots; i++) {
        if (s->parent[i] == i && s->moved[i] < 0) {
            s->each(s->user, &s->spot[i]);
        }
    }
    for (int i = 0; i < kept; i++) {
        s->parent[i] = i;
    }
    mdf_spot *const spot = s->spot;
    s->spot = s->kept;
    s->kept = spot;
    s->spots = kept;
    run *const above = s->above;
    s->above = s->now;
    s->above_count = s->now_count;
    s->now = above;
    s->now_count = 0;
}

mdf_status mdf_spots_find(const uint8_t *mask, const mdf_field *f, mdf_spot_fn *each, void *user,
                          mdf_error *err)
{
    search s = {.each = each, .user = user};
    const mdf_status status = search_new(&s, f->width, err);
    for (int y = f->top; status == MDF_OK && y < f->bottom; y++) {
        find_runs(&s, mask, f, y);
        join_touching(&s);
        end_row(&s);
    }
    if (status == MDF_OK) {
        end_row(&s); /* an empty row below the last one ends them all */
    }
    search_free(&s);
    return status;
}

double mdf_spot_x(const mdf_spot *s)
{
    return (double)s->sum_x / (double)s->area + 0.5;
}

double mdf_spot_y(const mdf_spot *s)
{
    return (double)s->sum_y / (double)s->area + 0.5;
}
