// Depths of the units' queues, whose slots the scoreboard numbers in this order. Included in parameter lists; others follow.
parameter int NM = 32,  // matrix slots
parameter int NV = 8,   // vector slots
parameter int NF = 8,   // float slots
parameter int NH = 4,   // HBM slots
