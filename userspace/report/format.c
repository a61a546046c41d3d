#include "report/report.h"

#include <string.h>

#include "base/util.h"

static const struct tide_report_format formats[] = {
	{"text", tide_report_text},
	{"json", tide_report_json},
};

const struct tide_report_format *tide_report_format_find(const char *name)
{
	for (size_t i = 0; i < TIDE_ARRAY_CNT(formats); i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	return NULL;
}

const char *tide_report_format_names(void)
{
	return "text, json";
}
