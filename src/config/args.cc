#include "config/args.h"
