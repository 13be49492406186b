/* torch.save's files: those of torch itself (tools/golden_torch.py), every truncation, and such as
 * torch would not write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "io/torch_file.h"
#include "support/folder.h"
#include "support/zip.h"

#define GOLDEN MDF_TEST_DATA "/golden/torch/"

static void open_good(mdf_safetensors *st, const char *name)
{
    char path[512];
    mdf_error err = {0};
    (void)snprintf(path, sizeof path, GOLDEN "%s", name);
    if (mdf_torch_open(st, path, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
}

static const mdf_st_tensor *find(const mdf_safetensors *st, const char *name, int rank,
                                 const int64_t *dim)
{
    const mdf_st_tensor *t = NULL;
    mdf_error err = {0};
    if (mdf_safetensors_get(st, name, rank, dim, &t, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    return t;
}

static bool is_mapped(const mdf_safetensors *st, const mdf_st_tensor *t)
{
    return t->data >= st->map.data && t->data + t->bytes <= st->map.data + st->map.len;
}

/* --- files of torch --- */

static void check_types(const char *file)
{
    static const char *const names[] = {"F64", "F32", "F16", "BF16", "I64",
                                        "I32", "I8",  "U8",  "BOOL"};
    mdf_safetensors st;
    open_good(&st, file);
    assert_int_equal(st.count, 13);
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        const mdf_st_tensor *t = find(&st, names[k], 2, (int64_t[]){3, 5});
        double x[15];
        int64_t whole[15];
        assert_string_equal(mdf_dtype_name(t->dtype), names[k]);
        assert_true(is_mapped(&st, t));
        const bool is_float = mdf_dtype_is_float(t->dtype);
        assert_true(is_float ? mdf_dtype_to_doubles(t->dtype, t->data, 15, x)
                             : mdf_dtype_to_int64(t->dtype, t->data, 15, whole));
        for (int i = 0; i < 15; i++) {
            const int want = names[k][0] == 'U' ? i : names[k][0] == 'I' ? i - 2 : i % 2;
            assert_true(is_float ? x[i] == (double)(i - 2) / 2 : whole[i] == want);
        }
    }
    float x[2];
    int64_t counter = 0;
    assert_int_equal(mdf_safetensors_floats(&st, find(&st, "one number", 0, NULL), x, NULL),
                     MDF_OK);
    assert_true(x[0] == -1);
    const mdf_st_tensor *t = find(&st, "counter", 0, NULL);
    assert_true(mdf_dtype_to_int64(t->dtype, t->data, 1, &counter) && counter == -3);
    assert_int_equal(find(&st, "none", 3, (int64_t[]){2, 0, 4})->count, 0);
    t = find(&st, "é", 1, (int64_t[]){2}); /* a torch.nn.Parameter */
    assert_int_equal(mdf_safetensors_floats(&st, t, x, NULL), MDF_OK);
    assert_true(x[0] == -1 && x[1] == -0.5F);
    assert_null(mdf_safetensors_metadata(&st, "torch.left_out"));
    mdf_safetensors_close(&st);
}

static void tensors_of_every_type_are_read(void **state)
{
    (void)state;
    check_types("types.pt");
    check_types("types_4.pt");
    check_types("types_5.pt");
    check_types("types_old.pt");
    check_types("types_old_4.pt");
}

/* want [t->count], by the rule of numpy's views. */
static void check_floats(const mdf_safetensors *st, const mdf_st_tensor *t, const float *want)
{
    float got[24];
    assert_true(t->count <= 24);
    assert_int_equal(mdf_safetensors_floats(st, t, got, NULL), MDF_OK);
    for (size_t i = 0; i < t->count; i++) {
        assert_true(got[i] == want[i]);
    }
}

static void check_views(const char *file)
{
    mdf_safetensors st;
    float want[24];
    open_good(&st, file);
    assert_int_equal(st.count, 8);
    const mdf_st_tensor *whole = find(&st, "whole", 2, (int64_t[]){4, 6});
    for (int i = 0; i < 24; i++) {
        want[i] = (float)i;
    }
    check_floats(&st, whole, want);
    assert_true(is_mapped(&st, whole));
    assert_ptr_equal(find(&st, "again", 2, whole->dim)->data, whole->data);
    assert_ptr_equal(find(&st, "parameter", 2, whole->dim)->data, whole->data);
    assert_ptr_equal(find(&st, "rows", 2, (int64_t[]){2, 6})->data,
                     whole->data + (size_t)6 * sizeof(float));
    for (int i = 0; i < 24; i++) {
        want[i] = (float)(i % 4 * 6 + i / 4);
    }
    const mdf_st_tensor *t = find(&st, "transposed", 2, (int64_t[]){6, 4});
    check_floats(&st, t, want);
    assert_false(is_mapped(&st, t));
    for (int i = 0; i < 12; i++) {
        want[i] = (float)(i / 3 * 6 + i % 3 * 2 + 1);
    }
    check_floats(&st, find(&st, "columns", 2, (int64_t[]){4, 3}), want);
    check_floats(&st, find(&st, "expanded", 2, (int64_t[]){3, 2}), (float[]){0, 1, 0, 1, 0, 1});
    check_floats(&st, find(&st, "last", 3, (int64_t[]){2, 3, 2}),
                 (float[]){0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11});
    mdf_safetensors_close(&st);
}

static void views_are_shared_or_put_in_order(void **state)
{
    (void)state;
    check_views("views.pt");
    check_views("views_old.pt");
}

static void check_shell(const char *file)
{
    static const char *const names[] = {
        "0.bias",         "0.weight",      "1.bias",  "1.num_batches_tracked",
        "1.running_mean", "1.running_var", "1.weight"};
    mdf_safetensors st;
    open_good(&st, file);
    assert_int_equal(st.count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(st.tensor[i].name, names[i]);
    }
    check_floats(&st, find(&st, "0.weight", 4, (int64_t[]){3, 2, 1, 1}),
                 (float[]){0, 1, 2, 3, 4, 5});
    assert_string_equal(mdf_safetensors_metadata(&st, "torch.left_out"),
                        "epoch, best, optimizer, arch, seed (5 in all)");
    mdf_safetensors_close(&st);
}

static void shells_are_taken_off(void **state)
{
    (void)state;
    check_shell("shell.pt");
    check_shell("shell_old.pt");
    mdf_safetensors st;
    open_good(&st, "nested.pt");
    assert_int_equal(st.count, 3);
    check_floats(&st, find(&st, "encoder.a", 1, (int64_t[]){2}), (float[]){0, 1});
    check_floats(&st, find(&st, "encoder.b.c", 1, (int64_t[]){1}), (float[]){1});
    check_floats(&st, find(&st, "head.weight", 1, (int64_t[]){3}), (float[]){0, 1, 2});
    assert_string_equal(mdf_safetensors_metadata(&st, "torch.left_out"),
                        "note, sizes, (a key that is no text) (3 in all)");
    mdf_safetensors_close(&st);
}

static void what_is_no_table_of_tensors_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"alone.pt", "it holds one tensor without a name, not a dictionary of tensors"},
        {"list.pt", "it holds another object, not a dictionary of tensors"},
        {"int16.pt", "tensor \"w\": numbers of a ShortStorage are not supported"},
        {"conjugate.pt", "tensor \"w\": it is a conjugate or negative view of its numbers"},
        {"script.pt", "a TorchScript program, not a dictionary of tensors: save its state_dict()"},
        {"module.pt", "refused: the pickle names torch.nn.modules.linear.Linear, which is more "
                      "than tensors need; nothing of it was run"},
        {"packed.pt", "entry \"archive/data.pkl\" is compressed (method 8): only stored ones, as "
                      "torch.save writes them, can be read"},
        {"system.pt", "refused: the pickle names posix.system, which is more than tensors need; "
                      "nothing of it was run"},
        {"system_4.pt", "refused: the pickle names posix.system, which is more than tensors need; "
                        "nothing of it was run"},
        {"system_old.pt", "refused: the pickle names posix.system, which is more than tensors "
                          "need; nothing of it was run"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[512];
        char want[1024];
        mdf_safetensors st;
        mdf_error err = {0};
        (void)snprintf(path, sizeof path, GOLDEN "%s", cases[i][0]);
        (void)snprintf(want, sizeof want, "%s: %s", path, cases[i][1]);
        assert_int_equal(mdf_torch_open(&st, path, &err), MDF_ERR_FORMAT);
        assert_string_equal(err.text, want);
        assert_null(st.tensor);
    }
}

/* --- any bytes --- */

/* In a block of exactly its size, so that a sanitizer sees a read past the end. */
static mdf_status parse(mdf_safetensors *st, const void *data, size_t len, mdf_error *err)
{
    static uint8_t *exact;
    free(exact);
    exact = malloc(len + (len == 0));
    assert_non_null(exact);
    memcpy(exact, data, len);
    return mdf_torch_parse(st, exact, len, "w.bin", err);
}

static void read_golden(const char *name, uint8_t **bytes, size_t *len)
{
    char path[512];
    (void)snprintf(path, sizeof path, GOLDEN "%s", name);
    assert_int_equal(mdf_file_read(path, 1 << 20, bytes, len, NULL), MDF_OK);
}

static void other_files_are_called_so(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
        size_t len;
    } cases[] = {{"", "w.bin: the file is empty", 0},
                 {"\x89PNG",
                  "w.bin: not a file of torch.save: it begins neither like a zip archive nor "
                  "like a pickle",
                  4},
                 {"\x80\x00",
                  "w.bin: not a file of torch.save: it begins neither like a zip archive nor "
                  "like a pickle",
                  2},
                 {"\x30\0\0\0\0\0\0\0{\"a\":",
                  "w.bin: not a file of torch.save: its bytes are those of a "
                  "safetensors file, whose name ends in .safetensors",
                  13},
                 {"\x80\x02K\x01.", "w.bin: a pickle, but not of torch.save", 5},
                 {"\x80\x02\x8a\x0al\xfc\x9c"
                  "F\xf9 j\xa8P\x19.\x80\x02M\xea\x03.",
                  "w.bin: a torch file of an unknown version", 21}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mdf_safetensors st;
        mdf_error err = {0};
        assert_int_equal(parse(&st, cases[i].bytes, cases[i].len, &err), MDF_ERR_FORMAT);
        assert_string_equal(err.text, cases[i].text);
        assert_null(st.tensor);
    }
    assert_true(mdf_torch_looks("PK\3\4", 4));
    assert_true(mdf_torch_looks("\x80\2", 2));
    assert_false(mdf_torch_looks("PK\3", 3));
    assert_false(mdf_torch_looks("\x80", 1));
    assert_false(mdf_torch_looks("GGUF", 4));
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    static const char *const files[] = {"types.pt", "types_old.pt", "types_old_4.pt"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        uint8_t *bytes = NULL;
        size_t len = 0;
        read_golden(files[i], &bytes, &len);
        for (size_t n = 0; n < len; n++) {
            mdf_safetensors st;
            assert_int_equal(parse(&st, bytes, n, NULL), MDF_ERR_FORMAT);
            assert_null(st.tensor);
        }
        mdf_free(bytes);
    }
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    static const char *const files[] = {"views.pt", "views_old.pt", "shell.pt", "shell_old.pt"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        uint8_t *bytes = NULL;
        size_t len = 0;
        read_golden(files[i], &bytes, &len);
        mdf_safetensors st;
        long n = 0;
        mdf_status status = MDF_ERR_NOMEM;
        while (status == MDF_ERR_NOMEM) {
            mdf_alloc_fail_after(++n);
            status = mdf_torch_parse(&st, bytes, len, "w.bin", NULL);
            mdf_alloc_fail_after(0);
            assert_true((status == MDF_OK) == (st.tensor != NULL));
        }
        assert_int_equal(status, MDF_OK);
        assert_true(n > 4);
        mdf_safetensors_close(&st);
        mdf_free(bytes);
    }
}

/* --- archives that torch would not write --- */

/* The instructions of a text. */
static void put_text(mdf_strbuf *b, const char *text)
{
    const size_t n = strlen(text);
    const char head[5] = {'X', (char)(uint8_t)n, (char)(uint8_t)(n >> 8), 0, 0};
    mdf_strbuf_add(b, head, sizeof head);
    mdf_strbuf_puts(b, text);
}

/* A tensor of the storage "0" of n floats; where: instructions for offset, shape, strides. */
static void put_tensor(mdf_strbuf *b, char n, const char *where)
{
    const char count[2] = {'K', n};
    mdf_strbuf_puts(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(b, "storage");
    mdf_strbuf_puts(b, "ctorch\nFloatStorage\n");
    put_text(b, "0");
    put_text(b, "cpu");
    mdf_strbuf_add(b, count, 2);
    mdf_strbuf_puts(b, "tQ");
    mdf_strbuf_puts(b, where);
    mdf_strbuf_puts(b, "\x89}tR");
}

/* The beginning of a dictionary, which remembers 0 as number 1 (a text of C can't hold it). */
static mdf_strbuf begin_pickle(void)
{
    mdf_strbuf b = mdf_strbuf_new((size_t)32 << 20);
    mdf_strbuf_puts(&b, "\x80\x02}(");
    put_text(&b, "zero");
    mdf_strbuf_add(&b, "K\0q\1", 4);
    return b;
}

#define ZERO     "h\1"
#define ONE      "K\1K\1\x85K\1\x85" /* number 1 alone */
#define MINUS    "J\xff\xff\xff\xff"
#define BILLION  "J\x01\xca\x9a\x3b"
#define TRILLION "\x8a\x06\x01\x10\xa5\xd4\xe8\x01"

/* Reads the archive of the pickle, which is freed, and the storage "0" of 6 floats. */
static mdf_status parse_archive(mdf_safetensors *st, mdf_strbuf *pickle, const char *order,
                                mdf_error *err)
{
    static const float numbers[6] = {0, 1, 2, 3, 4, 5};
    test_zip z;
    test_zip_begin(&z);
    test_zip_add(&z, "archive/data.pkl", pickle->data, pickle->len, false);
    if (order != NULL) {
        test_zip_add(&z, "archive/byteorder", order, strlen(order), false);
    }
    test_zip_add(&z, "archive/data/0", numbers, sizeof numbers, false);
    test_zip_finish(&z, false);
    const mdf_status status = parse(st, z.out.data, z.out.len, err);
    test_zip_free(&z);
    mdf_strbuf_free(pickle);
    return status;
}

/* text NULL: it is fine. */
static void check_archive(mdf_strbuf *pickle, const char *order, const char *text)
{
    mdf_safetensors st;
    mdf_error err = {0};
    const mdf_status status = parse_archive(&st, pickle, order, &err);
    if (text == NULL) {
        if (status != MDF_OK) {
            fail_msg("%s", err.text);
        }
        mdf_safetensors_close(&st);
    } else {
        assert_true(status == MDF_ERR_FORMAT || status == MDF_ERR_LIMIT);
        assert_string_equal(err.text, text);
        assert_null(st.tensor);
    }
}

static void check_tensor(const char *where, char numbers, const char *text)
{
    mdf_strbuf b = begin_pickle();
    put_text(&b, "w");
    put_tensor(&b, numbers, where);
    mdf_strbuf_puts(&b, "u.");
    check_archive(&b, "little", text);
}

static void tensors_that_lie_are_refused(void **state)
{
    (void)state;
    static const char out[] = "w.bin: tensor \"w\": it reaches out of its storage of 6 numbers";
    static const char item[] =
        "w.bin: tensor \"w\": its shape or strides have an item that is no count";
    static const char lists[] =
        "w.bin: tensor \"w\": its shape and strides are no two lists of one length";
    static const struct {
        const char *where, *text;
    } cases[] = {{"K\1K\2K\2\x86K\3K\1\x86", NULL}, /* 1 + 1 * 3 + 1 * 1 = 5 */
                 {"K\2K\2K\2\x86K\3K\1\x86", out},
                 {"K\1K\2K\2\x86K\4K\1\x86", out},
                 {"K\5))", NULL},
                 {"K\6))", out},
                 {"K\6" ZERO "\x85K\1\x85", NULL}, /* nothing, at the end */
                 {"K\7" ZERO "\x85K\1\x85", out},
                 {MINUS "))", out},
                 {TRILLION "))", out},
                 {"N))", "w.bin: tensor \"w\": the pickle does not describe it as torch.save does"},
                 {"K\1K\1K\1", lists},
                 {"K\6)K\1\x85", lists},
                 {"K\1N\x85K\1\x85", item},
                 {"K\1K\1\x85N\x85", item},
                 {"K\1" MINUS "\x85K\1\x85", item},
                 {"K\1K\2\x85" MINUS "\x85", item},
                 {"K\1K\2\x85" TRILLION "\x85", out},
                 {"K\1K\1\x85" TRILLION "\x85", NULL}, /* a step that is never made */
                 {ZERO BILLION BILLION BILLION "\x87" ZERO ZERO ZERO "\x87",
                  "w.bin: tensor \"w\": shape is impossibly large"},
                 {ZERO BILLION "\x85" ZERO "\x85",
                  "w.bin: tensor \"w\": it repeats numbers until they take more than the file"},
                 {ZERO "(K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1t", NULL},
                 {ZERO "(K\1K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1K\1t",
                  "w.bin: tensor \"w\": too many dimensions"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_tensor(cases[i].where, 6, cases[i].text);
    }
    check_tensor(ONE, 5,
                 "w.bin: storage \"0\" has another size in the archive than the pickle says");
}

static void copies_together_are_bounded(void **state)
{
    (void)state;
    mdf_strbuf b = begin_pickle();
    char name[16];
    for (int i = 0; i < 20; i++) { /* each repeats a number 100 times: 400 bytes */
        (void)snprintf(name, sizeof name, "w%02d", i);
        put_text(&b, name);
        put_tensor(&b, 6, ZERO "K\x64\x85" ZERO "\x85");
    }
    mdf_strbuf_puts(&b, "u.");
    const size_t file = b.len + 2 * 30 + 2 * 46 + 4 * 15 + 22 + 24; /* headers, names, numbers */
    char want[128];
    (void)snprintf(
        want, sizeof want,
        "w.bin: tensor \"w%02zu\": it repeats numbers until they take more than the file",
        file / 400);
    check_archive(&b, NULL, want);
}

static void storages_that_lie_are_refused(void **state)
{
    (void)state;
    static const char way[] =
        "w.bin: the pickle describes numbers in a way that torch.save does not";
#define STORAGE "X\7\0\0\0storage"
#define FLOATS  "ctorch\nFloatStorage\n"
    static const struct {
        const char *items, *text;
        size_t len;
    } cases[] = {
#define CASE(items, text) {"(" items "tQ", text, sizeof("(" items "tQ") - 1}
        CASE("", way),
        CASE(STORAGE FLOATS "X\1\0\0\0000NK\6NN", way),
        CASE("X\1\0\0\0s" FLOATS "X\1\0\0\0000NK\6", way),
        CASE(STORAGE "NX\1\0\0\0000NK\6", way),
        CASE(STORAGE FLOATS "K\0NK\6", way),
        CASE(STORAGE FLOATS "X\1\0\0\0000NN", way),
        CASE(STORAGE FLOATS "X\1\0\0\0000N" MINUS, way),
        CASE(STORAGE "ccollections\nOrderedDict\nX\1\0\0\0000NK\6",
             "w.bin: storage \"0\" has a class that is no storage"),
        CASE(STORAGE FLOATS "X\1\0\0\0000NK\6)",
             "w.bin: storage \"0\" is a part of another one: load and save it with a newer torch"),
        CASE(STORAGE FLOATS "X\1\0\0\0000N" TRILLION,
             "w.bin: storage \"0\" is larger than the file: cut off?"),
        CASE(STORAGE FLOATS "X\1\0\0\0001NK\6", "w.bin: storage \"1\" is missing in the archive"),
        CASE(STORAGE "ctorch\nIntStorage\nX\1\0\0\0000NK\6",
             "w.bin: storage \"0\" is described in two ways"),
        CASE(STORAGE FLOATS "X\1\0\0\0000NK\5", "w.bin: storage \"0\" is described in two ways"),
        CASE(STORAGE FLOATS "X\1\0\0\0000NK\6N", NULL)};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mdf_strbuf b = begin_pickle();
        put_text(&b, "w");
        put_tensor(&b, 6, ONE);
        put_text(&b, "another");
        mdf_strbuf_add(&b, cases[i].items, cases[i].len);
        mdf_strbuf_puts(&b, "u.");
        check_archive(&b, "little", cases[i].text);
    }
}

static void names_are_checked(void **state)
{
    (void)state;
    mdf_strbuf b = begin_pickle();
    put_text(&b, "a"); /* {"a": {"b": w}, "a.b": w} */
    mdf_strbuf_puts(&b, "}");
    put_text(&b, "b");
    put_tensor(&b, 6, ONE);
    mdf_strbuf_puts(&b, "s");
    put_text(&b, "a.b");
    put_tensor(&b, 6, ONE);
    mdf_strbuf_puts(&b, "u.");
    check_archive(&b, NULL, "w.bin: tensor \"a.b\": it is there twice");
    for (size_t n = 1023; n <= 1024; n++) {
        static char name[1025];
        memset(name, 'n', n);
        b = begin_pickle();
        put_text(&b, name);
        put_tensor(&b, 6, ONE);
        mdf_strbuf_puts(&b, "u.");
        check_archive(&b, NULL,
                      n == 1023 ? NULL : "w.bin: tensor \"\": a name below this one is too long");
    }
}

/* {"d": {"d": ... {"w": tensor}}} with `depth` dictionaries. */
static mdf_strbuf nested(int depth)
{
    mdf_strbuf b = begin_pickle();
    for (int i = 1; i < depth; i++) {
        put_text(&b, "d");
        mdf_strbuf_puts(&b, "}");
    }
    put_text(&b, "w");
    put_tensor(&b, 6, ONE);
    for (int i = 1; i < depth; i++) {
        mdf_strbuf_puts(&b, "s");
    }
    mdf_strbuf_puts(&b, "u.");
    return b;
}

static void dictionaries_that_go_on_are_refused(void **state)
{
    (void)state;
    mdf_strbuf b = nested(16);
    check_archive(&b, NULL, NULL);
    b = nested(17);
    check_archive(&b, NULL,
                  "w.bin: tensor \"d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d\": dictionaries are nested too "
                  "deep");
    b = mdf_strbuf_new(4096); /* one that holds itself */
    mdf_strbuf_puts(&b, "\x80\x02}q\1");
    put_text(&b, "d");
    mdf_strbuf_puts(&b, "h\1s.");
    check_archive(&b, NULL,
                  "w.bin: tensor \"d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d\": dictionaries are nested too "
                  "deep");
    b = mdf_strbuf_new(4096); /* dictionaries of ten of ten of ..: 10^8 values in 600 bytes */
    mdf_strbuf_puts(&b, "\x80\x02}(");
    for (int level = 0; level < 8; level++) {
        static const char slot = 1;
        put_text(&b, "level");
        mdf_strbuf_puts(&b, level == 0 ? "N" : "}(");
        for (int i = 0; level > 0 && i < 10; i++) {
            const char key[2] = {(char)('0' + i), '\0'};
            put_text(&b, key);
            mdf_strbuf_puts(&b, "h\1");
        }
        mdf_strbuf_puts(&b, level == 0 ? "q" : "uq");
        mdf_strbuf_add(&b, &slot, 1);
    }
    mdf_strbuf_puts(&b, "u.");
    mdf_safetensors st;
    mdf_error err = {0};
    assert_int_equal(parse_archive(&st, &b, NULL, &err), MDF_ERR_LIMIT);
    assert_non_null(strstr(err.text, ": too many values"));
}

static void one_tensor_above_the_limit_is_refused(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        mdf_strbuf b = begin_pickle();
        put_text(&b, "000000");
        put_tensor(&b, 6, ONE);
        mdf_strbuf_puts(&b, "q\2");
        for (int i = 1; i < MDF_MAX_TENSORS + over; i++) {
            char name[16];
            (void)snprintf(name, sizeof name, "%06d", i);
            put_text(&b, name);
            mdf_strbuf_puts(&b, "h\2");
        }
        mdf_strbuf_puts(&b, "u.");
        check_archive(&b, NULL, over == 0 ? NULL : "w.bin: more than 100000 tensors");
    }
}

static void the_byte_order_is_checked(void **state)
{
    (void)state;
    static const char text[] =
        "w.bin: its byte order is not \"little\": saved on a big-endian machine";
    static const char *const orders[][2] = {
        {NULL, NULL}, {"little", NULL}, {"big", text}, {"litt1e", text}, {"little ", text}};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        mdf_strbuf b = nested(1);
        check_archive(&b, orders[i][0], orders[i][1]);
    }
}

static void other_archives_are_refused(void **state)
{
    (void)state;
    test_zip z;
    mdf_safetensors st;
    mdf_error err = {0};
    test_zip_begin(&z);
    test_zip_add(&z, "word/document.xml", "<w/>", 4, false);
    test_zip_finish(&z, false);
    assert_int_equal(parse(&st, z.out.data, z.out.len, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text,
                        "w.bin: a zip archive, but not of torch.save: it has no data.pkl");
    test_zip_free(&z);
    mdf_strbuf b = mdf_strbuf_new(64);
    mdf_strbuf_puts(&b, "\x80\x02}.N");
    check_archive(&b, NULL, "w.bin: bytes follow the pickle in data.pkl");
    b = mdf_strbuf_new(64);
    mdf_strbuf_puts(&b, "\x80\x02}.");
    check_archive(&b, NULL, "w.bin: it holds no tensors");
}

/* --- rows of pickles that torch would not write --- */

typedef struct row {
    char little;      /* instruction of the byte order */
    const char *keys; /* instructions */
    size_t keys_len;
    char count;  /* of the storage, where its numbers stand */
    size_t more; /* bytes at the end */
} row;

static void check_row(const row *w, const char *text)
{
    mdf_safetensors st;
    mdf_error err = {0};
    mdf_strbuf b = mdf_strbuf_new(4096);
    mdf_strbuf_puts(&b, "\x80\x02\x8a\nl\xfc\x9c"
                        "F\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}");
    put_text(&b, "little_endian");
    mdf_strbuf_add(&b, &w->little, 1);
    mdf_strbuf_puts(&b, "s.");
    mdf_strbuf object = nested(1);
    mdf_strbuf_add(&b, object.data, object.len);
    mdf_strbuf_free(&object);
    mdf_strbuf_puts(&b, "\x80\x02");
    mdf_strbuf_add(&b, w->keys, w->keys_len);
    mdf_strbuf_puts(&b, ".");
    mdf_strbuf_add(&b, &w->count, 1);
    static const char zeros[64];
    mdf_strbuf_add(&b, zeros, 7 + 6 * sizeof(float) + w->more);
    const mdf_status status = parse(&st, b.data, b.len, &err);
    if (text == NULL) {
        assert_int_equal(status, MDF_OK);
        assert_int_equal(st.count, 1);
        mdf_safetensors_close(&st);
    } else {
        assert_int_equal(status, MDF_ERR_FORMAT);
        assert_string_equal(err.text, text);
    }
    mdf_strbuf_free(&b);
}

static void rows_that_lie_are_refused(void **state)
{
    (void)state;
    const row good = {'\x88', "]X\1\0\0\0000a", 8, 6, 0};
    static const char order[] =
        "w.bin: its byte order is not \"little\": saved on a big-endian machine";
    row w = good;
    check_row(&w, NULL);
    w.little = '\x89';
    check_row(&w, order);
    w.little = 'N';
    check_row(&w, order);
    w = good;
    w.keys = "N";
    w.keys_len = 1;
    check_row(&w, "w.bin: its list of storages is no list");
    w.keys = "]";
    check_row(&w, "w.bin: storage \"0\" is missing in the file");
    w.keys = "]X\1\0\0\0001a";
    w.keys_len = 8;
    check_row(&w, "w.bin: its list of storages names one that no tensor has");
    w.keys = "]K\0a";
    w.keys_len = 4;
    check_row(&w, "w.bin: its list of storages names one that no tensor has");
    w.keys = "]X\1\0\0\0000aX\1\0\0\0000a";
    w.keys_len = 15;
    check_row(&w, "w.bin: storage \"0\" is there twice");
    w = good;
    w.count = 5;
    check_row(&w, "w.bin: storage \"0\" has another size than the pickle says");
    w = good;
    w.more = 3;
    check_row(&w, "w.bin: 3 bytes at the end belong to no tensor");
}

/* --- as models are opened --- */

static void shards_are_opened_by_folder_and_index(void **state)
{
    (void)state;
    static const char *const paths[] = {GOLDEN "llama_shards",
                                        GOLDEN "llama_shards/pytorch_model.bin.index.json"};
    mdf_st_shards s;
    for (size_t i = 0; i < 2; i++) {
        const mdf_safetensors *file = NULL;
        assert_int_equal(mdf_st_shards_open(&s, paths[i], NULL), MDF_OK);
        assert_int_equal(s.files, 2);
        const mdf_st_tensor *t = mdf_st_shards_find(&s, "model.norm.weight", &file);
        assert_non_null(t);
        assert_true(t->rank == 1 && t->dim[0] == 16);
        assert_ptr_equal(file, &s.file[1]);
        mdf_st_shards_close(&s);
    }
    assert_int_equal(mdf_st_shards_open(&s, GOLDEN "llama", NULL), MDF_OK);
    assert_int_equal(s.files, 1);
    assert_ptr_equal(mdf_st_shards_find(&s, "lm_head.weight", NULL)->data,
                     mdf_st_shards_find(&s, "model.embed_tokens.weight", NULL)->data);
    mdf_st_shards_close(&s);
    mdf_status status = MDF_ERR_NOMEM;
    long n = 0;
    while (status == MDF_ERR_NOMEM) {
        mdf_alloc_fail_after(++n);
        status = mdf_st_shards_open(&s, GOLDEN "llama_shards", NULL);
        mdf_alloc_fail_after(0);
        assert_true((status == MDF_OK) == (s.file != NULL));
    }
    assert_int_equal(status, MDF_OK);
    assert_true(n > 20);
    mdf_st_shards_close(&s);
}

static void a_folder_has_one_file_of_weights(void **state)
{
    (void)state;
    test_folder f;
    mdf_st_shards s;
    mdf_error err = {0};
    char want[256];
    test_folder_make(&f);
    assert_int_equal(mdf_st_shards_open(&s, f.path, &err), MDF_ERR_IO);
    (void)snprintf(want, sizeof want,
                   "%s: no weights: neither model.safetensors nor pytorch_model.bin, nor the index "
                   "of either, is there",
                   f.path);
    assert_string_equal(err.text, want);
    test_put(&f, "pytorch_model.bin.index.json", "{\"weight_map\":{\"a\":\"../a.bin\"}}");
    assert_int_equal(mdf_st_shards_open(&s, f.path, &err), MDF_ERR_FORMAT);
    (void)snprintf(want, sizeof want,
                   "%s/pytorch_model.bin.index.json: \"../a.bin\" is not the name of a shard",
                   f.path);
    assert_string_equal(err.text, want);
    test_put(&f, "pytorch_model.bin", "this is no model");
    assert_int_equal(mdf_st_shards_open(&s, f.path, &err), MDF_ERR_FORMAT);
    (void)snprintf(want, sizeof want,
                   "%s/pytorch_model.bin: not a file of torch.save: it begins neither like a zip "
                   "archive nor like a pickle",
                   f.path);
    assert_string_equal(err.text, want);
    const float x = 1; /* safetensors go first: torch's files often lie beside the same weights */
    const mdf_st_entry entry = {"a", MDF_DTYPE_F32, 0, {0}, &x, true};
    (void)snprintf(want, sizeof want, "%s/model.safetensors", f.path);
    assert_int_equal(mdf_safetensors_save(want, &entry, 1, NULL, 0, NULL), MDF_OK);
    assert_int_equal(mdf_st_shards_open(&s, f.path, &err), MDF_OK);
    assert_non_null(mdf_st_shards_find(&s, "a", NULL));
    mdf_st_shards_close(&s);
    test_folder_remove(&f);
}

/* Pages of a map come back when they are touched; those of a copy would be zeros. */
static void what_was_copied_survives_its_release(void **state)
{
    (void)state;
    enum { COUNT = 20000, LARGE = 1 << 17 };
    static const float numbers[6] = {5, 5, 5, 5, 5, 5};
    test_folder f;
    test_zip z;
    mdf_safetensors st;
    char path[128];
    test_folder_make(&f);
    (void)snprintf(path, sizeof path, "%s/w.pt", f.path);
    mdf_strbuf b = begin_pickle();
    put_text(&b, "w");
    put_tensor(&b, 6, ZERO "M\x20\x4e\x85" ZERO "\x85"); /* 20,000 times the first number */
    mdf_strbuf_puts(&b, "u.");
    uint8_t *filler = mdf_alloc(LARGE, 1);
    assert_non_null(filler);
    test_zip_begin(&z);
    test_zip_add(&z, "archive/data.pkl", b.data, b.len, false);
    test_zip_add(&z, "archive/data/0", numbers, sizeof numbers, false);
    test_zip_add(&z, "archive/filler", filler, LARGE, false);
    test_zip_finish(&z, false);
    assert_int_equal(mdf_file_write(path, z.out.data, z.out.len, NULL), MDF_OK);
    assert_int_equal(mdf_torch_open(&st, path, NULL), MDF_OK);
    const mdf_st_tensor *t = find(&st, "w", 1, (int64_t[]){COUNT});
    float *x = mdf_alloc(COUNT, sizeof *x);
    assert_non_null(x);
    mdf_safetensors_release(&st, t);
    assert_int_equal(mdf_safetensors_floats(&st, t, x, NULL), MDF_OK);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(x[i] == 5);
    }
    mdf_free(x);
    mdf_free(filler);
    mdf_safetensors_close(&st);
    test_zip_free(&z);
    mdf_strbuf_free(&b);
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_of_every_type_are_read),
        cmocka_unit_test(views_are_shared_or_put_in_order),
        cmocka_unit_test(shells_are_taken_off),
        cmocka_unit_test(what_is_no_table_of_tensors_is_refused),
        cmocka_unit_test(other_files_are_called_so),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(tensors_that_lie_are_refused),
        cmocka_unit_test(copies_together_are_bounded),
        cmocka_unit_test(storages_that_lie_are_refused),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(dictionaries_that_go_on_are_refused),
        cmocka_unit_test(one_tensor_above_the_limit_is_refused),
        cmocka_unit_test(the_byte_order_is_checked),
        cmocka_unit_test(other_archives_are_refused),
        cmocka_unit_test(rows_that_lie_are_refused),
        cmocka_unit_test(shards_are_opened_by_folder_and_index),
        cmocka_unit_test(a_folder_has_one_file_of_weights),
        cmocka_unit_test(what_was_copied_survives_its_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
