/* scheme.h - what the files of this folder share: one comparison a scheme, and numbers of any
 * length. */
#pragma once

#include "scan/version/version.h"

#include <stddef.h>

/* Part of a version's text; not terminated. */
typedef struct {
    const char *text;
    size_t length;
} Span;

/* Orders two runs of digits by value; an empty one is zero. */
int span_compare_number(Span a, Span b);
/* Bytes; the longer of two with one beginning is greater. */
int span_compare_text(Span a, Span b);
bool span_is_number(Span span);
/* Whether SPAN is LITERAL. */
bool span_is(Span span, const char *literal);
/* Leading digits of TEXT. */
Span span_of_digits(const char *text);

int alpine_compare(const char *a, const char *b);
int cran_compare(const char *a, const char *b);
int debian_compare(const char *a, const char *b);
int go_compare(const char *a, const char *b);
int hackage_compare(const char *a, const char *b);
int maven_compare(const char *a, const char *b);
int nuget_compare(const char *a, const char *b);
int packagist_compare(const char *a, const char *b);
int pub_compare(const char *a, const char *b);
int pypi_compare(const char *a, const char *b);
bool pypi_is_valid(const char *text);
int redhat_compare(const char *a, const char *b);
int rubygems_compare(const char *a, const char *b);
int semver_compare(const char *a, const char *b);
