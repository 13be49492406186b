/* Pieces of HTML. */
#include "report/html_write.h"

#include <math.h>

void mdf_html_text(FILE *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        switch (*p) {
        case '&':
            (void)fputs("&amp;", out);
            break;
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '>':
            (void)fputs("&gt;", out);
            break;
        case '"':
            (void)fputs("&quot;", out);
            break;
        case '\'':
            (void)fputs("&#39;", out);
            break;
        default:
            (void)fputc((unsigned char)*p < 0x20 ? ' ' : *p, out);
        }
    }
}

void mdf_html_base64(FILE *out, const uint8_t *data, size_t len)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        const size_t n = len - i < 3 ? len - i : 3;
        const uint32_t v = (uint32_t)data[i] << 16 | (n > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                           (n > 2 ? (uint32_t)data[i + 2] : 0);
        (void)fputc(digit[v >> 18 & 63], out);
        (void)fputc(digit[v >> 12 & 63], out);
        (void)fputc(n > 1 ? digit[v >> 6 & 63] : '=', out);
        (void)fputc(n > 2 ? digit[v & 63] : '=', out);
    }
}

void mdf_html_png(FILE *out, const mdf_png_bytes *png, const char *alt, int width)
{
    (void)fprintf(out, "<img width=\"%d\" alt=\"", width);
    mdf_html_text(out, alt);
    (void)fputs("\" src=\"data:image/png;base64,", out);
    mdf_html_base64(out, png->data, png->len);
    (void)fputs("\">\n", out);
}

void mdf_html_number(FILE *out, double value)
{
    if (isnan(value)) {
        (void)fputs("&ndash;", out);
    } else {
        (void)fprintf(out, "%.3f", value);
    }
}

const char mdf_html_style[] =
    ":root{color-scheme:light}"
    "body{font:16px/1.5 system-ui,\"DejaVu Sans\",sans-serif;color:#1a1a1a;background:#fff;"
    "max-width:1100px;margin:0 auto;padding:24px}"
    "h1{font-size:1.7em;margin:0 0 .2em}h2{font-size:1.25em;margin:1.8em 0 .5em;"
    "border-bottom:1px solid #ccc;padding-bottom:.2em}"
    ".note{background:#fff6e0;border-left:4px solid #b36b00;padding:.5em .9em;margin:1em 0}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5em 0}"
    "caption{text-align:left;color:#555;padding:.2em 0}"
    "th,td{padding:.3em .7em;border-bottom:1px solid #ddd;text-align:right}"
    "th:first-child,td:first-child{text-align:left}thead th{border-bottom:2px solid #888}"
    "td{white-space:nowrap}.facts th{font-weight:600}"
    ".facts td{text-align:left;white-space:normal;overflow-wrap:anywhere}"
    ".heat td{text-align:center;min-width:2.6em;border:1px solid #fff}"
    ".heat thead th{text-align:center}.heat thead th:first-child{text-align:left}"
    ".charts{display:flex;flex-wrap:wrap;gap:16px}img{max-width:100%;height:auto}"
    ".charts img{flex:1 1 420px;min-width:0;max-width:520px}"
    ".scroll{overflow-x:auto}"
    ".gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(480px,1fr));gap:20px}"
    "@media(max-width:560px){.gallery{grid-template-columns:1fr}}"
    "figure{margin:0;border:1px solid #ddd;border-radius:6px;padding:12px;break-inside:avoid}"
    "figcaption p{margin:.4em 0;overflow-wrap:anywhere}"
    ".right{color:#0b6b3a;font-weight:600}.wrong{color:#a32a00;font-weight:600}"
    ".bar{display:inline-block;height:.75em;background:#0072b2;vertical-align:baseline}"
    ".probs td,.probs th{border:0;padding:.05em .5em;font-size:.9em;font-weight:400}"
    ".probs td:last-child{text-align:left;width:160px}"
    "footer{margin-top:2.5em;color:#555;font-size:.9em}"
    "@media print{body{max-width:none;padding:0;font-size:11pt}"
    "*{-webkit-print-color-adjust:exact;print-color-adjust:exact}"
    ".gallery{grid-template-columns:1fr 1fr}h2{break-after:avoid}}";
