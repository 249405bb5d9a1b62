package org.fhirstack.gateway.custom;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.fhirstack.gateway.Refusal;

/** The order of a list of locations, from the parameter {@code _sort}. */
final class PlaceOrder {
    private final Comparator<Place> order;

    /** @param sort null for the order of the tree */
    PlaceOrder(String sort) {
        order = sort == null ? null : order(sort);
    }

    private static Comparator<Place> order(String sort) {
        Comparator<Place> order = (a, b) -> 0;
        for (String key : sort.split(",", -1)) {
            boolean down = key.startsWith("-");
            Comparator<Place> one = switch (down ? key.substring(1) : key) {
                case "_id" -> Comparator.comparing(Place::id);
                case "name" -> Comparator.comparing(Place::name);
                case "_lastUpdated" -> Comparator.comparing(Place::lastUpdated,
                        Comparator.nullsFirst(Comparator.naturalOrder()));
                default -> throw Refusal.malformed("The parameter _sort takes _id, name and _lastUpdated.");
            };
            order = order.thenComparing(down ? one.reversed() : one);
        }
        return order.thenComparing(Place::id);
    }

    List<Place> of(List<Place> all) {
        if (order == null) {
            return all;
        }
        List<Place> sorted = new ArrayList<>(all);
        sorted.sort(order);
        return sorted;
    }
}
