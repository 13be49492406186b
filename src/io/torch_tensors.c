/* From the object that torch.save saved to a table of tensors under their names. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "io/torch_file.h"
#include "io/torch_parts.h"

enum {
    MAX_NAME = 1024,        /* bytes of a tensor's name, with its NUL */
    MAX_DICTS = 16,         /* dictionaries in one another */
    TENSOR_ITEMS = 6,       /* storage, offset, size, stride, requires_grad, hooks; and metadata */
    MAX_LEFT_OUT_TEXT = 480 /* of the list of what is left out */
};

static const char module_prefix[] = "module.";

typedef struct walk {
    const mdf_torch_reader *r;
    char name[MAX_NAME]; /* [len] of where it is */
    size_t len;
    size_t room;       /* of the table */
    size_t seen;       /* values looked at */
    size_t copied;     /* bytes */
    size_t left_out;   /* values that are no tensors */
    mdf_strbuf listed; /* their names */
} walk;

static mdf_status fail(const walk *w, mdf_status code, const char *what)
{
    return mdf_fail(w->r->err, code, "%s: tensor \"%.120s\": %s", w->r->st->path, w->name, what);
}

static mdf_status no_memory(const walk *w)
{
    return mdf_fail(w->r->err, MDF_ERR_NOMEM, "%s: out of memory", w->r->st->path);
}

static bool is_call(const mdf_pickle_value *v, int global)
{
    return v->kind == MDF_PICKLE_CALL && v->u.items->callee == &mdf_torch_globals[global];
}

static bool is_tensor(const mdf_pickle_value *v)
{
    return is_call(v, MDF_TORCH_TENSOR) || is_call(v, MDF_TORCH_PARAMETER);
}

/* --- one tensor --- */

static mdf_status read_type(const walk *w, mdf_st_tensor *t, int type)
{
    static const int dtype[MDF_TORCH_STORAGES] = {MDF_DTYPE_F32,
                                                  MDF_DTYPE_F16,
                                                  MDF_DTYPE_BF16,
                                                  MDF_DTYPE_F64,
                                                  MDF_DTYPE_I64,
                                                  MDF_DTYPE_I32,
                                                  -1,
                                                  MDF_DTYPE_I8,
                                                  MDF_DTYPE_U8,
                                                  MDF_DTYPE_BOOL};
    if (dtype[type] < 0) {
        return mdf_fail(w->r->err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\": numbers of a %s are not supported", w->r->st->path,
                        w->name, mdf_torch_globals[type].name);
    }
    t->dtype = (mdf_dtype)dtype[type];
    return MDF_OK;
}

/* rank, dim, count, bytes, and the strides in numbers. */
static mdf_status read_shape(const walk *w, mdf_st_tensor *t, const mdf_pickle_value *size,
                             const mdf_pickle_value *strides, size_t stride[MDF_MAX_RANK])
{
    if (size->kind != MDF_PICKLE_TUPLE || strides->kind != MDF_PICKLE_TUPLE ||
        size->u.items->count != strides->u.items->count) {
        return fail(w, MDF_ERR_FORMAT, "its shape and strides are no two lists of one length");
    }
    if (size->u.items->count > MDF_MAX_RANK) {
        return fail(w, MDF_ERR_LIMIT, "too many dimensions");
    }
    t->rank = (int)size->u.items->count;
    t->count = 1;
    for (int i = 0; i < t->rank; i++) {
        const mdf_pickle_value *d = &size->u.items->item[i];
        const mdf_pickle_value *s = &strides->u.items->item[i];
        if (d->kind != MDF_PICKLE_WHOLE || d->u.whole < 0 || s->kind != MDF_PICKLE_WHOLE ||
            s->u.whole < 0) {
            return fail(w, MDF_ERR_FORMAT, "its shape or strides have an item that is no count");
        }
        if (d->u.whole != 0 && t->count > (size_t)PTRDIFF_MAX / 8 / (size_t)d->u.whole) {
            return fail(w, MDF_ERR_FORMAT, "shape is impossibly large");
        }
        t->dim[i] = d->u.whole;
        t->count *= (size_t)d->u.whole;
        stride[i] = (size_t)s->u.whole;
    }
    t->bytes = t->count * mdf_dtype_bytes(t->dtype);
    return MDF_OK;
}

/* The last number that the tensor reaches lies in the storage. */
static bool is_inside(const mdf_st_tensor *t, const size_t *stride, uint64_t offset, size_t count)
{
    if (offset > count || (t->count > 0 && offset == count)) {
        return false;
    }
    size_t left = t->count > 0 ? count - 1 - (size_t)offset : 0;
    for (int i = 0; i < t->rank && t->count > 0; i++) {
        const size_t steps = (size_t)t->dim[i] - 1;
        if (steps > 0 && stride[i] > left / steps) {
            return false;
        }
        left -= steps * stride[i];
    }
    return true;
}

/* The numbers follow each other in the order of the indices. */
static bool is_plain(const mdf_st_tensor *t, const size_t *stride)
{
    size_t want = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->dim[i] > 1 && stride[i] != want) {
            return false;
        }
        want *= (size_t)t->dim[i];
    }
    return true;
}

/* The numbers in the order of the indices, in memory of the table. */
static mdf_status copy_plain(walk *w, mdf_st_tensor *t, const size_t *stride)
{
    const size_t width = mdf_dtype_bytes(t->dtype);
    if (t->bytes > w->r->len - w->copied) {
        return fail(w, MDF_ERR_LIMIT, "it repeats numbers until they take more than the file");
    }
    w->copied += t->bytes;
    uint8_t *out = mdf_arena_alloc(&w->r->st->arena, t->count, width);
    if (out == NULL) {
        return no_memory(w);
    }
    size_t index[MDF_MAX_RANK] = {0};
    size_t at = 0; /* in numbers, from the first one */
    for (size_t n = 0; n < t->count; n++) {
        memcpy(out + n * width, t->data + at * width, width);
        for (int i = t->rank - 1; i >= 0; i--) {
            at += stride[i];
            if (++index[i] < (size_t)t->dim[i]) {
                break;
            }
            at -= index[i] * stride[i];
            index[i] = 0;
        }
    }
    t->data = out;
    return MDF_OK;
}

/* The call of _rebuild_tensor_v2 in v, which may be that of _rebuild_parameter. */
static const mdf_pickle_items *tensor_call(const mdf_pickle_value *v)
{
    if (is_call(v, MDF_TORCH_PARAMETER) && v->u.items->count > 0) {
        v = &v->u.items->item[0];
    }
    return is_call(v, MDF_TORCH_TENSOR) ? v->u.items : NULL;
}

static mdf_status read_tensor(walk *w, const mdf_pickle_value *v, mdf_st_tensor *t)
{
    const mdf_pickle_items *x = tensor_call(v);
    size_t stride[MDF_MAX_RANK] = {0};
    if (x == NULL || x->count < TENSOR_ITEMS || x->count > TENSOR_ITEMS + 1 ||
        x->item[0].kind != MDF_PICKLE_OUTER || x->item[1].kind != MDF_PICKLE_WHOLE) {
        return fail(w, MDF_ERR_FORMAT, "the pickle does not describe it as torch.save does");
    }
    if (x->count > TENSOR_ITEMS && x->item[TENSOR_ITEMS].kind != MDF_PICKLE_NONE &&
        (x->item[TENSOR_ITEMS].kind != MDF_PICKLE_DICT ||
         x->item[TENSOR_ITEMS].u.items->count > 0)) {
        return fail(w, MDF_ERR_FORMAT, "it is a conjugate or negative view of its numbers");
    }
    const mdf_pickle_value *key = &x->item[0].u.items->item[2]; /* proved with the storages */
    const mdf_torch_storage *s = mdf_torch_find(w->r, key->u.text, key->len);
    MDF_TRY(read_type(w, t, s->type));
    MDF_TRY(read_shape(w, t, &x->item[2], &x->item[3], stride));
    const int64_t offset = x->item[1].u.whole;
    if (offset < 0 || !is_inside(t, stride, (uint64_t)offset, s->count)) {
        return mdf_fail(w->r->err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\": it reaches out of its storage of %zu numbers",
                        w->r->st->path, w->name, s->count);
    }
    t->data = s->data + (size_t)offset * mdf_dtype_bytes(t->dtype);
    return t->count == 0 || is_plain(t, stride) ? MDF_OK : copy_plain(w, t, stride);
}

/* --- names --- */

/* name becomes "name.key"; false: too long. */
static bool enter(walk *w, const mdf_pickle_value *key)
{
    const size_t dot = w->len > 0 ? 1 : 0;
    if (key->len >= MAX_NAME - w->len - dot) {
        return false;
    }
    if (dot > 0) {
        w->name[w->len++] = '.';
    }
    memcpy(w->name + w->len, key->u.text, key->len);
    w->len += key->len;
    w->name[w->len] = '\0';
    return true;
}

static void leave(walk *w, size_t len)
{
    w->len = len;
    w->name[len] = '\0';
}

/* The value at `name` is no tensor. */
static void leave_out(walk *w, const char *name)
{
    const bool first = w->left_out++ == 0;
    if (w->listed.len + strlen(name) + 2 < MAX_LEFT_OUT_TEXT) {
        mdf_strbuf_puts(&w->listed, first ? "" : ", ");
        mdf_strbuf_puts(&w->listed, name);
    }
}

static mdf_status add_tensor(walk *w, const mdf_pickle_value *v)
{
    mdf_safetensors *st = w->r->st;
    if (st->count == MDF_MAX_TENSORS) {
        return mdf_fail(w->r->err, MDF_ERR_LIMIT, "%s: more than %d tensors", st->path,
                        MDF_MAX_TENSORS);
    }
    if (st->count == w->room) {
        const size_t twice = 2 * w->room + 64;
        mdf_st_tensor *grown = mdf_arena_alloc(&st->arena, twice, sizeof *grown);
        if (grown == NULL) {
            return no_memory(w);
        }
        if (st->count > 0) {
            memcpy(grown, st->tensor, st->count * sizeof *grown);
        }
        st->tensor = grown;
        w->room = twice;
    }
    mdf_st_tensor *t = &st->tensor[st->count];
    *t = (mdf_st_tensor){.name = mdf_arena_strndup(&st->arena, w->name, w->len)};
    if (t->name == NULL) {
        return no_memory(w);
    }
    MDF_TRY(read_tensor(w, v, t));
    st->count++;
    return MDF_OK;
}

static mdf_status add_dict(walk *w, const mdf_pickle_value *dict, int depth);

static mdf_status add_value(walk *w, const mdf_pickle_value *v, int depth)
{
    if (is_tensor(v)) {
        return add_tensor(w, v);
    }
    if (v->kind == MDF_PICKLE_DICT) {
        return add_dict(w, v, depth + 1);
    }
    leave_out(w, w->name);
    return MDF_OK;
}

/* All tensors of a dictionary, below the name where the walk is. */
static mdf_status add_dict(walk *w, const mdf_pickle_value *dict, int depth)
{
    const mdf_pickle_items *x = dict->u.items;
    const size_t len = w->len;
    if (depth > MAX_DICTS) {
        return fail(w, MDF_ERR_LIMIT, "dictionaries are nested too deep");
    }
    for (size_t i = 0; i + 1 < x->count; i += 2) {
        const mdf_pickle_value *key = &x->item[i];
        if (++w->seen > MDF_MAX_PICKLE_VALUES) {
            return fail(w, MDF_ERR_LIMIT, "too many values");
        }
        if (key->kind != MDF_PICKLE_TEXT || memchr(key->u.text, 0, key->len) != NULL) {
            leave_out(w, "(a key that is no text)");
            continue;
        }
        if (!enter(w, key)) {
            return fail(w, MDF_ERR_LIMIT, "a name below this one is too long");
        }
        MDF_TRY(add_value(w, &x->item[i + 1], depth));
        leave(w, len);
    }
    return MDF_OK;
}

/* --- which dictionary --- */

static bool has_tensor(const mdf_pickle_value *v)
{
    for (size_t i = 1; v->kind == MDF_PICKLE_DICT && i < v->u.items->count; i += 2) {
        if (is_tensor(&v->u.items->item[i])) {
            return true;
        }
    }
    return false;
}

/* The dictionary inside of a shell; NULL: v is none. */
static const mdf_pickle_value *inner_of(const mdf_pickle_value *v)
{
    static const char *const names[] = {"state_dict", "model"};
    if (has_tensor(v)) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const mdf_pickle_value *inner = mdf_pickle_at(v, names[i]);
        if (inner != NULL && has_tensor(inner)) {
            return inner;
        }
    }
    return NULL;
}

/* What stands in a shell beside the dictionary that is read. */
static void leave_out_others(walk *w, const mdf_pickle_value *shell, const mdf_pickle_value *inner)
{
    const mdf_pickle_items *x = shell->u.items;
    for (size_t i = 0; i + 1 < x->count; i += 2) {
        if (&x->item[i + 1] == inner) {
            continue;
        }
        if (x->item[i].kind == MDF_PICKLE_TEXT && x->item[i].len < MAX_NAME &&
            memchr(x->item[i].u.text, 0, x->item[i].len) == NULL) {
            (void)enter(w, &x->item[i]);
            leave_out(w, w->name);
            leave(w, 0);
        } else {
            leave_out(w, "(a key that is no text)");
        }
    }
}

/* --- the whole table --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdf_st_tensor *)a)->name, ((const mdf_st_tensor *)b)->name);
}

/* torch.nn.DataParallel puts "module." before all names. */
static void drop_module(mdf_safetensors *st)
{
    const size_t n = sizeof module_prefix - 1;
    for (size_t i = 0; i < st->count; i++) {
        if (strncmp(st->tensor[i].name, module_prefix, n) != 0 || st->tensor[i].name[n] == '\0') {
            return;
        }
    }
    for (size_t i = 0; i < st->count; i++) {
        st->tensor[i].name += n;
    }
}

static mdf_status name_left_out(walk *w)
{
    mdf_safetensors *st = w->r->st;
    if (w->left_out == 0) {
        return MDF_OK;
    }
    mdf_strbuf_printf(&w->listed, " (%zu in all)", w->left_out);
    st->metadata = mdf_arena_zalloc(&st->arena, 1, sizeof *st->metadata);
    const char *text =
        w->listed.failed ? NULL : mdf_arena_strndup(&st->arena, w->listed.data, w->listed.len);
    if (st->metadata == NULL || text == NULL) {
        return no_memory(w);
    }
    st->metadata[0] = (mdf_st_pair){MDF_TORCH_LEFT_OUT, text};
    st->metadata_count = 1;
    return MDF_OK;
}

static mdf_status read_root(walk *w, const mdf_pickle_value *root)
{
    mdf_safetensors *st = w->r->st;
    if (root->kind != MDF_PICKLE_DICT) {
        return mdf_fail(w->r->err, MDF_ERR_FORMAT, "%s: it holds %s, not a dictionary of tensors",
                        st->path, is_tensor(root) ? "one tensor without a name" : "another object");
    }
    const mdf_pickle_value *inner = inner_of(root);
    for (int depth = 0; inner != NULL && depth < MAX_DICTS; depth++) {
        leave_out_others(w, root, inner);
        root = inner;
        inner = inner_of(root);
    }
    MDF_TRY(add_dict(w, root, 1));
    if (st->count == 0) {
        return mdf_fail(w->r->err, MDF_ERR_FORMAT, "%s: it holds no tensors", st->path);
    }
    drop_module(st);
    qsort(st->tensor, st->count, sizeof *st->tensor, by_name);
    for (size_t i = 1; i < st->count; i++) {
        if (strcmp(st->tensor[i].name, st->tensor[i - 1].name) == 0) {
            return mdf_fail(w->r->err, MDF_ERR_FORMAT, "%s: tensor \"%.120s\": it is there twice",
                            st->path, st->tensor[i].name);
        }
    }
    return name_left_out(w);
}

mdf_status mdf_torch_tensors(const mdf_torch_reader *r, const mdf_pickle_value *root)
{
    walk w = {.r = r, .listed = mdf_strbuf_new(MAX_LEFT_OUT_TEXT + 64)};
    const mdf_status status = read_root(&w, root);
    mdf_strbuf_free(&w.listed);
    return status;
}
