/* Pieces of HTML. Write errors stay in the stream. Internal to src/report. */
#ifndef MDF_REPORT_HTML_WRITE_H
#define MDF_REPORT_HTML_WRITE_H

#include <stdio.h>

#include "report/canvas.h"

/* Text with & < > " ' escaped, and control characters as spaces. */
void mdf_html_text(FILE *out, const char *text);

/* <img> with the PNG as base64. */
void mdf_html_png(FILE *out, const mdf_png_bytes *png, const char *alt, int width);

/* RFC 4648. */
void mdf_html_base64(FILE *out, const uint8_t *data, size_t len);

/* "0.123", or a dash for NAN. */
void mdf_html_number(FILE *out, double value);

extern const char mdf_html_style[];

#endif
