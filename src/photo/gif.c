/* The blocks of a GIF file (GIF89a specification, 1990, sections 15 to 24), and how many pixels the
 * codes of a picture make (appendix F). */
#include "photo/gif.h"

#include <stdbool.h>

enum { MOST_BITS = 12 /* of a code */ };
enum {
    HEADER = 13,
    IMAGE = 10,
    EXTENSION = 2,
    INTRODUCER_IMAGE = 0x2C,
    INTRODUCER_EXTENSION = 0x21
};

typedef struct walker {
    const uint8_t *bytes;
    size_t len;
    size_t at; /* may lie behind len: then the file is cut */
} walker;

/* A table of 2^(n+1) colours, three bytes each, when the flags say that there is one. */
static size_t table_bytes(uint8_t flags)
{
    return (flags & 0x80) != 0 ? (size_t)3 << ((flags & 7) + 1) : 0;
}

/* Blocks of a length byte and so many bytes, up to one of length 0. */
static void skip_blocks(walker *w)
{
    while (w->at < w->len) {
        const size_t n = w->bytes[w->at];
        w->at += n + 1;
        if (n == 0) {
            return;
        }
    }
    w->at = w->len + 1; /* no end came */
}

/* The bytes of blocks as a row of bits, the lowest of a byte first. */
typedef struct bit_row {
    const uint8_t *next; /* block or byte of it */
    size_t left;         /* bytes of the block that are still to come */
    uint32_t bits;
    int count;
} bit_row;

/* The next number of `size` bits; false at the end of the blocks, which are all there. */
static bool take_bits(bit_row *r, int size, uint32_t *out)
{
    while (r->count < size) {
        if (r->left == 0) {
            r->left = *r->next++;
            if (r->left == 0) {
                r->next--; /* stays at the end */
                return false;
            }
        }
        r->bits |= (uint32_t)*r->next++ << r->count;
        r->count += 8;
        r->left--;
    }
    *out = r->bits & ((1U << size) - 1);
    r->bits >>= size;
    r->count -= size;
    return true;
}

/* The dictionary of codes, of which only the lengths in pixels matter here. */
typedef struct dictionary {
    uint32_t length[1 << MOST_BITS];
    uint32_t clear; /* forgets the dictionary; the code behind it ends the picture */
    uint32_t next;  /* the first code that is not in use */
    uint32_t last;  /* the code before this one */
    int size;       /* of codes, in bits */
    bool is_new;
} dictionary;

static void forget(dictionary *d, int first_bits)
{
    d->next = d->clear + 2;
    d->size = first_bits + 1;
    d->is_new = true;
}

/* Pixels of a code; 0 = there is no such code. */
static uint32_t use_code(dictionary *d, uint32_t code)
{
    if (code >= d->next + (d->is_new ? 0 : 1) || (d->is_new && code >= d->clear)) {
        return 0;
    }
    const uint32_t grown = d->is_new ? 0 : d->length[d->last] + 1;
    const uint32_t pixels = code == d->next ? grown : d->length[code];
    if (!d->is_new && d->next < 1U << MOST_BITS) {
        d->length[d->next++] = grown;
        d->size += d->next == 1U << d->size && d->size < MOST_BITS ? 1 : 0;
    }
    d->last = code;
    d->is_new = false;
    return pixels;
}

/* blocks: begins with the size of the first codes, and ends within the bytes of the file. */
static uint64_t count_pixels(const uint8_t *blocks)
{
    const int first_bits = blocks[0];
    if (first_bits < 1 || first_bits >= MOST_BITS) {
        return 0;
    }
    dictionary d = {.clear = 1U << first_bits};
    for (uint32_t i = 0; i < d.clear; i++) {
        d.length[i] = 1;
    }
    forget(&d, first_bits);
    bit_row row = {.next = blocks + 1};
    uint64_t sum = 0;
    uint32_t code = 0;
    while (take_bits(&row, d.size, &code) && code != d.clear + 1) {
        if (code == d.clear) {
            forget(&d, first_bits);
            continue;
        }
        const uint32_t pixels = use_code(&d, code);
        if (pixels == 0) {
            break;
        }
        sum += pixels;
    }
    return sum;
}

static mdf_status check_pixels(const uint8_t *image, const uint8_t *blocks, const char *name,
                               mdf_error *err)
{
    const uint64_t width = (uint64_t)image[5] | (uint64_t)image[6] << 8;
    const uint64_t height = (uint64_t)image[7] | (uint64_t)image[8] << 8;
    const uint64_t all = width * height;
    const uint64_t n = count_pixels(blocks);
    if (n < all) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: the GIF is damaged or cut short: %llu of %llu pixels are there", name,
                        (unsigned long long)n, (unsigned long long)all);
    }
    return MDF_OK;
}

mdf_status mdf_gif_first_frame(size_t *end, const uint8_t *bytes, size_t len, const char *name,
                               mdf_error *err)
{
    walker w = {.bytes = bytes, .len = len};
    w.at = len < HEADER ? HEADER : HEADER + table_bytes(bytes[10]);
    while (w.at < len) {
        const uint8_t introducer = bytes[w.at];
        if (introducer == INTRODUCER_EXTENSION) {
            w.at += EXTENSION;
            skip_blocks(&w);
        } else if (introducer == INTRODUCER_IMAGE) {
            if (len - w.at < IMAGE) {
                break;
            }
            const uint8_t *image = bytes + w.at;
            w.at += IMAGE + table_bytes(image[IMAGE - 1]);
            const size_t blocks = w.at++; /* a byte with the size of a code comes first */
            skip_blocks(&w);
            if (w.at > len) {
                break;
            }
            MDF_TRY(check_pixels(image, bytes + blocks, name, err));
            *end = w.at;
            return MDF_OK;
        } else {
            return mdf_fail_at(err, MDF_ERR_FORMAT, w.at,
                               introducer == MDF_GIF_TRAILER ? "%s: the GIF holds no picture"
                                                             : "%s: the GIF is damaged",
                               name);
        }
    }
    return mdf_fail(err, MDF_ERR_FORMAT, "%s: the GIF is cut short", name);
}
