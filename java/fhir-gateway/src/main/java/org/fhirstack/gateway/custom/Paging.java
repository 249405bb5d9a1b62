package org.fhirstack.gateway.custom;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.Query;

/** One page of a list of locations. */
final class Paging {
    static final Set<String> PARAMETERS = Set.of("_count", "_page", "_sort");
    private static final int USUAL = 20;
    private static final int MOST = 1_000;
    private final Query query;
    private final int count;
    private final int page;
    private final Comparator<Place> order;

    /** Pages are counted from 1; a page has at most {@value #MOST} locations, whatever is asked for. */
    Paging(Parameters parameters) {
        query = parameters.query();
        count = Math.min(MOST, parameters.number("_count", USUAL));
        page = parameters.number("_page", 1);
        order = order(parameters.text("_sort"));
        if (page < 1) {
            throw Refusal.malformed("Pages are counted from 1.");
        }
    }

    private static Comparator<Place> order(String sort) {
        if (sort == null) {
            return null;
        }
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

    boolean onlyCount() {
        return count == 0;
    }

    List<Place> of(List<Place> all) {
        List<Place> sorted = all;
        if (order != null) {
            sorted = new ArrayList<>(all);
            sorted.sort(order);
        }
        long from = Math.min(sorted.size(), (long) (page - 1) * count);
        return sorted.subList((int) from, (int) Math.min(sorted.size(), from + count));
    }

    /** The frame of the page, with links to its neighbours. */
    SearchSet frame(int total, String address) {
        SearchSet frame = new SearchSet(total, url(address, page));
        if (count > 0 && (long) page * count < total) {
            frame.link("next", url(address, page + 1));
        }
        if (count > 0 && page > 1) {
            frame.link("previous", url(address, page - 1));
        }
        return frame;
    }

    private String url(String address, int number) {
        return address + "?" + query.without(Set.of("_page", "_count")).plus("_count", String.valueOf(count))
                .plus("_page", String.valueOf(number)).encode();
    }
}
