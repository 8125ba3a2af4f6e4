// The layer's only own source; everything else comes with fathom_op().
