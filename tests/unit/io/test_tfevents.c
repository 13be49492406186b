/* Event files, taken apart by a second, independent reading of the formats. TensorBoard's own
 * EventAccumulator reads them too (tried by hand, see tests/golden/metrics/README.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "io/tfevents.h"
#include "support/folder.h"

/* RFC 3720, appendix B.4. */
static void crc32c_matches_the_rfc(void **state)
{
    (void)state;
    uint8_t bytes[32] = {0};
    assert_int_equal(mdf_crc32c(bytes, 32), 0x8A9136AAu);
    memset(bytes, 0xFF, 32);
    assert_int_equal(mdf_crc32c(bytes, 32), 0x62A8AB43u);
    for (size_t i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_int_equal(mdf_crc32c(bytes, 32), 0x46DD794Eu);
}

typedef struct reader {
    const uint8_t *p;
    const uint8_t *end;
} reader;

static uint64_t fixed(reader *r, size_t bytes)
{
    assert_true((size_t)(r->end - r->p) >= bytes);
    uint64_t v = 0;
    for (size_t i = bytes; i-- > 0;) {
        v = v << 8 | r->p[i];
    }
    r->p += bytes;
    return v;
}

static uint64_t varint(reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint64_t byte = fixed(r, 1);
        v |= (byte & 127) << shift;
        if (byte < 128) {
            return v;
        }
    }
    fail_msg("a varint has no end");
    return 0;
}

typedef struct field {
    unsigned number;
    uint64_t value; /* varint or fixed */
    reader bytes;   /* length-delimited */
} field;

static field next_field(reader *r)
{
    const uint64_t key = varint(r);
    field f = {.number = (unsigned)(key >> 3)};
    switch (key & 7) {
    case 0:
        f.value = varint(r);
        break;
    case 1:
        f.value = fixed(r, 8);
        break;
    case 2: {
        const uint64_t n = varint(r);
        assert_true((uint64_t)(r->end - r->p) >= n);
        f.bytes = (reader){r->p, r->p + n};
        r->p += n;
        break;
    }
    case 5:
        f.value = fixed(r, 4);
        break;
    default:
        fail_msg("wire type %u", (unsigned)(key & 7));
    }
    return f;
}

/* The unmasking of TFRecord's documentation: the inverse of rotate right by 15 and add. */
static uint32_t unmask(uint64_t masked)
{
    const uint32_t rot = (uint32_t)masked - 0xA282EAD8u;
    return rot >> 17 | rot << 15;
}

static reader next_record(reader *file)
{
    const uint8_t *start = file->p;
    const uint64_t n = fixed(file, 8);
    assert_int_equal(unmask(fixed(file, 4)), mdf_crc32c(start, 8));
    assert_true((uint64_t)(file->end - file->p) >= n + 4);
    const reader data = {file->p, file->p + n};
    file->p += n;
    assert_int_equal(unmask(fixed(file, 4)), mdf_crc32c(data.p, n));
    return data;
}

static void check_scalar(reader event, uint64_t step, const char *tag, float value)
{
    assert_int_equal(next_field(&event).number, 1); /* wall_time */
    const field at = next_field(&event);
    assert_int_equal(at.number, 2);
    assert_int_equal(at.value, step);
    field summary = next_field(&event);
    assert_int_equal(summary.number, 5);
    field entry = next_field(&summary.bytes);
    assert_int_equal(entry.number, 1);
    const field name = next_field(&entry.bytes);
    assert_int_equal(name.number, 1);
    assert_int_equal(name.bytes.end - name.bytes.p, strlen(tag));
    assert_memory_equal(name.bytes.p, tag, strlen(tag));
    const field number = next_field(&entry.bytes);
    assert_int_equal(number.number, 2);
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    assert_int_equal(number.value, bits);
    assert_ptr_equal(event.p, event.end);
}

static void a_file_holds_version_session_and_scalars(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    mdf_tfevents t;
    assert_int_equal(mdf_tfevents_open(&t, f.path, 300, NULL), MDF_OK);
    char *path = mdf_strdup(t.path);
    assert_int_equal(mdf_tfevents_scalar(&t, "loss/train", 300, 0.1, NULL), MDF_OK);
    assert_int_equal(mdf_tfevents_scalar(&t, "auc", 1, -2.5, NULL), MDF_OK);
    uint8_t *data = NULL;
    size_t len = 0; /* read before the close: every event is flushed */
    assert_int_equal(mdf_file_read(path, 1 << 20, &data, &len, NULL), MDF_OK);
    mdf_tfevents_close(&t);
    reader file = {data, data + len};
    reader event = next_record(&file);
    assert_int_equal(next_field(&event).number, 1);
    assert_int_equal(next_field(&event).value, 0);
    const field version = next_field(&event);
    assert_int_equal(version.number, 3);
    assert_memory_equal(version.bytes.p, "brain.Event:2", 13);
    event = next_record(&file);
    assert_int_equal(next_field(&event).number, 1);
    assert_int_equal(next_field(&event).value, 300);
    field session = next_field(&event);
    assert_int_equal(session.number, 7);
    assert_int_equal(next_field(&session.bytes).value, 1); /* START */
    check_scalar(next_record(&file), 300, "loss/train", 0.1f);
    check_scalar(next_record(&file), 1, "auc", -2.5f);
    assert_ptr_equal(file.p, file.end);
    mdf_free(data);
    mdf_free(path);
    test_folder_remove(&f);
}

static void the_tag_limit_holds_at_n_and_n_plus_one(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    char tag[MDF_TFEVENTS_MAX_TAG + 2];
    memset(tag, 't', sizeof tag);
    mdf_tfevents t;
    assert_int_equal(mdf_tfevents_open(&t, f.path, 0, NULL), MDF_OK);
    tag[MDF_TFEVENTS_MAX_TAG + 1] = '\0';
    /* The largest step makes the longest message. */
    assert_int_equal(mdf_tfevents_scalar(&t, tag, INT64_MAX, 1, NULL), MDF_ERR_LIMIT);
    tag[MDF_TFEVENTS_MAX_TAG] = '\0';
    assert_int_equal(mdf_tfevents_scalar(&t, tag, INT64_MAX, 1, NULL), MDF_OK);
    mdf_tfevents_close(&t);
    mdf_tfevents_close(&t);
    mdf_error err = {0};
    assert_int_equal(mdf_tfevents_open(&t, "/nonexistent-folder", 0, &err), MDF_ERR_IO);
    assert_non_null(strstr(err.text, "can't open the file for writing"));
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_matches_the_rfc),
        cmocka_unit_test(a_file_holds_version_session_and_scalars),
        cmocka_unit_test(the_tag_limit_holds_at_n_and_n_plus_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
