/* TensorBoard event files. Field numbers are those of event.proto and summary.proto. */
#include "io/tfevents.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"

enum { EVENT_MAX = MDF_TFEVENTS_MAX_TAG + 96 };

/* A protobuf message being written; the callers' sizes are bounded, so it can't overflow. */
typedef struct message {
    uint8_t data[EVENT_MAX];
    size_t len;
} message;

uint32_t mdf_crc32c(const uint8_t *data, size_t len)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0x82F63B78u : 0u);
        }
    }
    return ~crc;
}

/* TFRecord rotates and shifts the sum, because data may hold sums itself. */
static uint32_t masked_crc(const uint8_t *data, size_t len)
{
    const uint32_t crc = mdf_crc32c(data, len);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

static void put_le(uint8_t *p, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
}

static void add_fixed(message *m, uint64_t v, size_t bytes)
{
    put_le(m->data + m->len, v, bytes);
    m->len += bytes;
}

static void add_varint(message *m, uint64_t v)
{
    while (v >= 0x80) {
        m->data[m->len++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    m->data[m->len++] = (uint8_t)v;
}

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static void add_key(message *m, unsigned field, unsigned wire)
{
    add_varint(m, field << 3 | wire);
}

static void add_bytes(message *m, unsigned field, const void *data, size_t len)
{
    add_key(m, field, WIRE_BYTES);
    add_varint(m, len);
    memcpy(m->data + m->len, data, len);
    m->len += len;
}

/* Event { double wall_time = 1; int64 step = 2; } */
static message event_new(int64_t step)
{
    message m = {.len = 0};
    const double now = mdf_clock_wall_seconds();
    uint64_t bits = 0;
    memcpy(&bits, &now, sizeof bits);
    add_key(&m, 1, WIRE_64);
    add_fixed(&m, bits, 8);
    add_key(&m, 2, WIRE_VARINT);
    add_varint(&m, (uint64_t)step);
    return m;
}

static mdf_status write_record(mdf_tfevents *t, const message *m, mdf_error *err)
{
    uint8_t head[12];
    uint8_t tail[4];
    put_le(head, m->len, 8);
    put_le(head + 8, masked_crc(head, 8), 4);
    put_le(tail, masked_crc(m->data, m->len), 4);
    if (fwrite(head, 1, sizeof head, t->stream) != sizeof head ||
        fwrite(m->data, 1, m->len, t->stream) != m->len ||
        fwrite(tail, 1, sizeof tail, t->stream) != sizeof tail || fflush(t->stream) != 0) {
        return mdf_fail(err, MDF_ERR_IO, "%s: can't write the event (is the disk full?)", t->path);
    }
    return MDF_OK;
}

static mdf_status write_start(mdf_tfevents *t, int64_t first_step, mdf_error *err)
{
    static const char version[] = "brain.Event:2";
    message m = event_new(0);
    add_bytes(&m, 3, version, sizeof version - 1); /* Event.file_version */
    MDF_TRY(write_record(t, &m, err));
    if (first_step <= 0) {
        return MDF_OK;
    }
    static const uint8_t session_start[] = {1 << 3 | WIRE_VARINT, 1}; /* SessionLog.status */
    m = event_new(first_step);
    add_bytes(&m, 7, session_start, sizeof session_start); /* Event.session_log */
    return write_record(t, &m, err);
}

mdf_status mdf_tfevents_open(mdf_tfevents *t, const char *dir, int64_t first_step, mdf_error *err)
{
    *t = (mdf_tfevents){0};
    char name[96];
    (void)snprintf(name, sizeof name, "events.out.tfevents.%lld.%ld.mdf",
                   (long long)mdf_clock_wall_seconds(), (long)getpid());
    t->path = mdf_path_join(dir, name);
    if (t->path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
    }
    t->stream = fopen(t->path, "ab");
    mdf_status status = MDF_OK;
    if (t->stream == NULL) {
        status = mdf_fail(err, MDF_ERR_IO, "%s: can't open the file for writing", t->path);
    } else {
        status = write_start(t, first_step, err);
    }
    if (status != MDF_OK) {
        mdf_tfevents_close(t);
    }
    return status;
}

mdf_status mdf_tfevents_scalar(mdf_tfevents *t, const char *tag, int64_t step, double value,
                               mdf_error *err)
{
    const size_t n = strlen(tag);
    if (n > MDF_TFEVENTS_MAX_TAG) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the tag %.40s... has %zu bytes; the limit is %d", tag,
                        n, MDF_TFEVENTS_MAX_TAG);
    }
    const float single = (float)value;
    uint32_t bits = 0;
    memcpy(&bits, &single, sizeof bits);
    message entry = {.len = 0}; /* Summary.Value { tag = 1; float simple_value = 2; } */
    add_bytes(&entry, 1, tag, n);
    add_key(&entry, 2, WIRE_32);
    add_fixed(&entry, bits, 4);
    message summary = {.len = 0};
    add_bytes(&summary, 1, entry.data, entry.len);
    message event = event_new(step);
    add_bytes(&event, 5, summary.data, summary.len); /* Event.summary */
    return write_record(t, &event, err);
}

void mdf_tfevents_close(mdf_tfevents *t)
{
    if (t->stream != NULL) {
        (void)fclose(t->stream);
    }
    mdf_free(t->path);
    *t = (mdf_tfevents){0};
}
