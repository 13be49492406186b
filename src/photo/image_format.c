/* Which picture formats there are. */
#include "photo/image_format.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

mdf_image_format mdf_image_sniff(const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    if (len >= 3 && memcmp(b, "\xFF\xD8\xFF", 3) == 0) {
        return MDF_IMAGE_JPEG;
    }
    if (len >= 8 && memcmp(b, "\x89PNG\r\n\x1A\n", 8) == 0) {
        return MDF_IMAGE_PNG;
    }
    if (len >= 12 && memcmp(b, "RIFF", 4) == 0 && memcmp(b + 8, "WEBP", 4) == 0) {
        return MDF_IMAGE_WEBP;
    }
    if (len >= 4 && (memcmp(b, "II\x2A\0", 4) == 0 || memcmp(b, "MM\0\x2A", 4) == 0 ||
                     memcmp(b, "II\x2B\0", 4) == 0 || memcmp(b, "MM\0\x2B", 4) == 0)) {
        return MDF_IMAGE_TIFF;
    }
    if (len >= 6 && (memcmp(b, "GIF87a", 6) == 0 || memcmp(b, "GIF89a", 6) == 0)) {
        return MDF_IMAGE_GIF;
    }
    return MDF_IMAGE_UNKNOWN;
}

const char *mdf_image_format_name(mdf_image_format format)
{
    switch (format) {
    case MDF_IMAGE_JPEG:
        return "JPEG";
    case MDF_IMAGE_PNG:
        return "PNG";
    case MDF_IMAGE_TIFF:
        return "TIFF";
    case MDF_IMAGE_WEBP:
        return "WebP";
    case MDF_IMAGE_GIF:
        return "GIF";
    case MDF_IMAGE_UNKNOWN:
        break;
    }
    return "unknown";
}

const char *mdf_image_looks_like(const uint8_t *b, size_t len)
{
    if (len >= 5 && memcmp(b, "%PDF-", 5) == 0) {
        return "a PDF";
    }
    if (len >= 12 && memcmp(b + 4, "ftyp", 4) == 0) {
        return "a HEIC, AVIF or video file";
    }
    if (len >= 12 && memcmp(b, "\0\0\0\x0CjP  ", 8) == 0) {
        return "a JPEG 2000";
    }
    if (len >= 2 && memcmp(b, "BM", 2) == 0) {
        return "a BMP";
    }
    if (len >= 132 && memcmp(b + 128, "DICM", 4) == 0) {
        return "a DICOM file";
    }
    const size_t n = len < 512 ? len : 512;
    for (size_t i = 0; i < n; i++) {
        if (b[i] < 0x20 && b[i] != '\n' && b[i] != '\r' && b[i] != '\t') {
            return "no known picture format";
        }
    }
    return "a text file";
}

static bool is_one_of(const char *ending, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(ending, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

mdf_image_ending mdf_image_ending_of(const char *name, char *ending, size_t ending_bytes)
{
    static const char *const read[] = {".jpg", ".jpeg", ".jpe",  ".jfif", ".jif",
                                       ".png", ".tif",  ".tiff", ".webp", ".gif"};
    static const char *const pictures[] = {
        ".bmp", ".dib", ".jp2", ".j2k",  ".jpf",  ".jpx",  ".j2c", ".jxl",   ".ppm",
        ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".avif", ".dcm", ".dicom", ".dng",
        ".cr2", ".nef", ".arw", ".raw",  ".psd",  ".svg",  ".tga", ".exr",   ".hdr",
        ".nii", ".mha", ".mhd", ".fds",  ".fda",  ".e2e",  ".ico"};
    const char *dot = strrchr(name, '.');
    size_t n = 0;
    if (dot == NULL || dot[1] == '\0') {
        (void)snprintf(ending, ending_bytes, "no ending");
        return MDF_ENDING_OTHER;
    }
    for (; dot[n] != '\0' && n + 1 < ending_bytes; n++) {
        ending[n] = (char)tolower((unsigned char)dot[n]);
    }
    ending[n] = '\0';
    if (is_one_of(ending, read, sizeof read / sizeof read[0])) {
        return MDF_ENDING_READ;
    }
    return is_one_of(ending, pictures, sizeof pictures / sizeof pictures[0]) ? MDF_ENDING_PICTURE
                                                                             : MDF_ENDING_OTHER;
}
