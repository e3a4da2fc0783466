namespace quadrille::hw {}
